package dev.mirror.snapshot;

import org.jspecify.annotations.Nullable;

/**
 * A read or a write that a request asks for.
 *
 * @param key as the service gives it
 * @param written what a write is to write; null where the service does not say, and for a read
 * @param isInside it is asked for while another call of the request is done. A mirror answers that one from its snapshot, and
 *     never comes to this one
 */
record Call(boolean isWrite, String name, @Nullable Object key, @Nullable Object written, boolean isInside) {
    static Call read(String name, @Nullable Object key) {
        return new Call(false, name, key, null, false);
    }

    static Call write(String name, @Nullable Object key, @Nullable Object written) {
        return new Call(true, name, key, written, false);
    }

    Call inside() {
        return new Call(isWrite, name, key, written, true);
    }

    /** The name that a snapshot has it under. */
    String filedName() {
        return isWrite ? Recording.WRITE + name : name;
    }
}
