package dev.mirror.snapshot.rules;

/** A request and the response to it, while an id is derived of them. For one thread. */
final class Exchange {
    private final Message request;
    /** Null where there is none. */
    private final Message response;

    Exchange(RequestFields request, RequestFields response, JsonPaths paths) {
        this.request = new Message(request, paths);
        this.response = response == null ? null : new Message(response, paths);
    }

    Message request() {
        return request;
    }

    Message response() {
        return response;
    }
}
