package dev.mirror.snapshot.store;

import dev.mirror.snapshot.RequestId;
import java.util.Optional;

/**
 * Where the snapshots of one service or run stand: {@code <prefix>snapshot:<id>}, or {@code <prefix>snapshot/<namespace>:<id>};
 * and the effects of a replayed request: {@code <prefix>effects/<send>:<id>}.
 */
public final class Keys {
    private static final String EFFECTS = "effects/";
    private static final int LONGEST_NAME = 64;
    private static final long MINUTE = 60_000;

    private final String prefix;
    /** What stands before an id. */
    private final String stem;

    /** @param prefix stands before every key as it is, as in {@code shop:}; may be empty */
    public Keys(String prefix) {
        this(prefix, prefix + "snapshot:");
    }

    private Keys(String prefix, String stem) {
        this.prefix = prefix;
        this.stem = stem;
    }

    /** The same prefix, in a namespace; empty where that is not 1 to 64 ASCII letters, digits, {@code .}, {@code _} or {@code -}. */
    public Optional<Keys> within(String namespace) {
        return isName(namespace) ? Optional.of(new Keys(prefix, prefix + "snapshot/" + namespace + ":")) : Optional.empty();
    }

    private static boolean isName(String text) {
        return !text.isEmpty() && text.length() <= LONGEST_NAME && text.chars().allMatch(Keys::isAllowed);
    }

    private static boolean isAllowed(int c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-';
    }

    /**
     * Where the snapshots of identical requests of one minute are listed. No id holds the space.
     *
     * @param derived of each of them, without its number
     * @param at when production received them, milliseconds since the epoch
     */
    public String list(RequestId derived, long at) {
        return key(derived) + " " + Math.floorDiv(at, MINUTE);
    }

    /**
     * Where the effects of one sending of a request stand, in whatever namespace its snapshot is.
     *
     * @param send empty where it is not 1 to 64 ASCII letters, digits, {@code .}, {@code _} or {@code -}
     */
    public Optional<String> effects(String send, RequestId id) {
        return isName(send) ? Optional.of(prefix + EFFECTS + send + ":" + id.text()) : Optional.empty();
    }

    /** What stands before the keys of all effects. */
    public String effects() {
        return prefix + EFFECTS;
    }

    /** Where the snapshot of this id stands. */
    public String key(RequestId id) {
        return stem + id.text();
    }
}
