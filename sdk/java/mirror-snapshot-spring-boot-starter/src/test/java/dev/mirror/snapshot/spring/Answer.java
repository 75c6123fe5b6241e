package dev.mirror.snapshot.spring;

import java.net.http.HttpHeaders;
import java.nio.charset.StandardCharsets;

/** What a service answered. */
public record Answer(int status, HttpHeaders headers, byte[] bytes) {
    public String text() {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Null where there is none. */
    public String header(String name) {
        return headers.firstValue(name).orElse(null);
    }

    @Override
    public String toString() {
        return status + " " + headers.map() + " " + text();
    }
}
