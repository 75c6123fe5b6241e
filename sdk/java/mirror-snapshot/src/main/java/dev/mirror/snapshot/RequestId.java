package dev.mirror.snapshot;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Names one request on all sides: 1 to 256 characters from {@code !} to {@code ~}.
 *
 * @param text the id as it stands in headers and keys
 */
public record RequestId(String text) {
    private static final int LONGEST = 256;

    /**
     * @throws IllegalArgumentException where the text is no id
     */
    public RequestId {
        if (!isId(text)) {
            throw new IllegalArgumentException("an id is 1 to 256 characters from ! to ~");
        }
    }

    /** The id that a header or a field holds; empty where it is none. */
    public static Optional<RequestId> of(@Nullable String text) {
        return text != null && isId(text) ? Optional.of(new RequestId(text)) : Optional.empty();
    }

    /** The id of one of several identical requests, {@code <id>.<number>}; empty where that is too long. */
    public Optional<RequestId> numbered(String number) {
        return of(text + "." + number);
    }

    private static boolean isId(String text) {
        if (text.isEmpty() || text.length() > LONGEST) {
            return false;
        }
        // A stream would cost more than all else that a header's rule does.
        for (int at = 0; at < text.length(); at++) {
            if (text.charAt(at) < '!' || text.charAt(at) > '~') {
                return false;
            }
        }
        return true;
    }

    @Override
    public String toString() {
        return text;
    }
}
