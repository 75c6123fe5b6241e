package dev.mirror.snapshot.rules;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** A message as tests and vectors write it. */
record Sent(String method, String target, List<Line> headers, byte[] body, Optional<InetAddress> client) implements RequestFields {
    /** A field line; a character of the value is a byte, as one of the target is. */
    record Line(String name, String value) {}

    static Sent request(String method, String target) {
        return new Sent(method, Utf8.encoded(target), List.of(), null, Optional.empty());
    }

    Sent with(String name, String value) {
        List<Line> lines = new ArrayList<>(headers);
        lines.add(new Line(name, value));
        return new Sent(method, target, lines, body, client);
    }

    Sent with(String text) {
        return new Sent(method, target, headers, text.getBytes(StandardCharsets.UTF_8), client);
    }

    /** {@code {"method", "target" or "targetBase64", "headers": [[name, value], …], "body" or "bodyBase64", "client"}}. */
    static Sent of(JsonNode json) {
        List<Line> headers = new ArrayList<>();
        for (JsonNode line : json.path("headers")) {
            headers.add(new Line(line.get(0).textValue().toLowerCase(Locale.ROOT), line.get(1).textValue()));
        }
        String client = json.path("client").textValue();
        return new Sent(json.path("method").asText(), target(json), headers, body(json), Optional.ofNullable(client).map(Sent::address));
    }

    private static String target(JsonNode json) {
        String coded = json.path("targetBase64").textValue();
        return coded == null ? Utf8.encoded(json.path("target").asText())
                : new String(Base64.getDecoder().decode(coded), StandardCharsets.ISO_8859_1);
    }

    private static byte[] body(JsonNode json) {
        String coded = json.path("bodyBase64").textValue();
        String text = json.path("body").textValue();
        if (coded != null) {
            return Base64.getDecoder().decode(coded);
        }
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    /** A literal is looked up nowhere. */
    private static InetAddress address(String literal) {
        try {
            return InetAddress.getByName(literal);
        } catch (UnknownHostException none) {
            throw new IllegalArgumentException(literal, none);
        }
    }

    @Override
    public String header(String name, int nth) {
        int left = nth;
        for (Line line : headers) {
            if (line.name.equals(name) && left-- == 0) {
                return line.value;
            }
        }
        return null;
    }

    @Override
    public byte[] body() {
        return body;
    }
}
