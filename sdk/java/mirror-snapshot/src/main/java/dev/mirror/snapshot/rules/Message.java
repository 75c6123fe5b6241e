package dev.mirror.snapshot.rules;

import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/** What rules read of one message, each part of it looked at once and only when it is asked for. For one thread. */
final class Message {
    private final RequestFields fields;
    private final JsonPaths paths;
    private @Nullable Target target;
    private boolean isBodyAsked;
    private byte @Nullable [] body;
    private boolean isJsonRead;
    private @Nullable JsonBody json;

    Message(RequestFields fields, JsonPaths paths) {
        this.fields = fields;
        this.paths = paths;
    }

    String method() {
        return fields.method();
    }

    Target target() {
        if (target == null) {
            target = new Target(fields.method(), fields.target());
        }
        return target;
    }

    /** The text of the first line with that name; null where there is none. */
    @Nullable String header(String name) {
        String value = fields.header(name, 0);
        return value == null ? null : HeaderText.of(value);
    }

    /** The first cookie with that name; null where there is none. */
    @Nullable String cookie(String name) {
        String line;
        for (int nth = 0; (line = fields.header("cookie", nth)) != null; nth++) {
            String text = HeaderText.of(line);
            String value = text == null ? null : HeaderText.cookie(text, name);
            if (value != null) {
                return value;
            }
        }
        return null;
    }

    /** Null where it was not read. */
    byte @Nullable [] body() {
        if (!isBodyAsked) {
            isBodyAsked = true;
            body = fields.body();
        }
        return body;
    }

    /** Null where the body was not read or is no JSON. */
    @Nullable JsonBody json() {
        if (!isJsonRead) {
            isJsonRead = true;
            json = body() == null ? null : JsonBody.read(body(), paths);
        }
        return json;
    }

    @Nullable String client() {
        InetAddress client = fields.client().orElse(null);
        return client == null ? null : AddressText.of(client);
    }
}
