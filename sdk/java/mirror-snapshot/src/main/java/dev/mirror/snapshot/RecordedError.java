package dev.mirror.snapshot;

import org.jspecify.annotations.Nullable;

/** A failed read as text and back: {@code class: message}, so that the mirror fails as production did. */
final class RecordedError {
    /** So much of a message is filed. */
    private static final int LONGEST = 200;

    private RecordedError() {}

    static String text(Throwable error) {
        String message = error.getMessage();
        String name = error.getClass().getName();
        if (message == null) {
            return name;
        }
        int end = Math.min(message.length(), LONGEST);
        if (end < message.length() && Character.isHighSurrogate(message.charAt(end - 1))) {
            end--;
        }
        return name + ": " + message.substring(0, end);
    }

    /** An exception of the same class and message, where this service has that class and it can be made of a message. */
    static Exception exception(String text) {
        int colon = text.indexOf(": ");
        String name = colon < 0 ? text : text.substring(0, colon);
        String message = colon < 0 ? null : text.substring(colon + 2);
        try {
            // Not initialised before it is known to be an exception: the text comes from the store.
            Class<?> found = Class.forName(name, false, RecordedError.class.getClassLoader());
            if (Exception.class.isAssignableFrom(found)) {
                return made(found.asSubclass(Exception.class), message);
            }
        } catch (ReflectiveOperationException | LinkageError absent) {
            // Production's class is not here.
        }
        return new RecordedReadException(text);
    }

    private static Exception made(Class<? extends Exception> type, @Nullable String message) throws ReflectiveOperationException {
        try {
            return type.getConstructor(String.class).newInstance(message);
        } catch (NoSuchMethodException other) {
            if (message == null) {
                return type.getConstructor().newInstance();
            }
            // Spring's EmptyResultDataAccessException and the like: a message and its cause.
            return type.getConstructor(String.class, Throwable.class).newInstance(message, null);
        }
    }
}
