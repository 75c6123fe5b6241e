package dev.mirror.snapshot.rules;

import org.jspecify.annotations.Nullable;

/** A request and the response to it, while an id is derived of them. For one thread. */
final class Exchange {
    private final Message request;
    /** Null where there is none. */
    private final @Nullable Message response;

    Exchange(RequestFields request, @Nullable RequestFields response, JsonPaths paths) {
        this.request = new Message(request, paths);
        this.response = response == null ? null : new Message(response, paths);
    }

    Message request() {
        return request;
    }

    @Nullable Message response() {
        return response;
    }
}
