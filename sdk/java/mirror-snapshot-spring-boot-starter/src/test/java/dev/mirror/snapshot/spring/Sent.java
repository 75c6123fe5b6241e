package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.rules.RequestFields;
import java.util.Map;
import java.util.concurrent.Callable;

/** A request without a server: its headers, and work that is done for it. */
public record Sent(Map<String, String> headers) implements RequestFields {
    public static Sent with(String... headers) {
        return new Sent(headers.length == 0 ? Map.of() : Map.of(headers[0], headers[1]));
    }

    @Override
    public String method() {
        return "GET";
    }

    @Override
    public String target() {
        return "/";
    }

    @Override
    public String header(String name, int nth) {
        return nth == 0 ? headers.get(name) : null;
    }

    @Override
    public byte[] body() {
        return null;
    }

    /** Does the work for this request, and finishes it. */
    public <T> T to(Snapshots snapshots, Callable<T> work) throws Exception {
        RequestSnapshot request = snapshots.begin(this, null);
        try (SnapshotContext.Scope scope = SnapshotContext.enter(request)) {
            return work.call();
        } finally {
            request.finish();
        }
    }
}
