package dev.mirror.snapshot;

import dev.mirror.snapshot.rules.RequestFields;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** A request as a filter would hand it over. */
record Sent(String method, String target, Map<String, String> headers, byte[] body) implements RequestFields {
    static Sent get(String target) {
        return new Sent("GET", target, Map.of(), null);
    }

    static Sent post(String target, String body) {
        return new Sent("POST", target, Map.of(), body.getBytes(StandardCharsets.UTF_8));
    }

    Sent with(String name, String value) {
        Map<String, String> more = new LinkedHashMap<>(headers);
        more.put(name.toLowerCase(Locale.ROOT), value);
        return new Sent(method, target, more, body);
    }

    @Override
    public String header(String name, int nth) {
        return nth == 0 ? headers.get(name) : null;
    }
}
