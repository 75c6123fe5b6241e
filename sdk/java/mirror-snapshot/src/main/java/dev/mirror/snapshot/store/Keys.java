package dev.mirror.snapshot.store;

import dev.mirror.snapshot.RequestId;
import java.util.Optional;

/** Where the snapshots of one service or run stand: {@code <prefix>snapshot:<id>}, or {@code <prefix>snapshot/<namespace>:<id>}. */
public final class Keys {
    private static final int LONGEST_NAMESPACE = 64;
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
        boolean isNamespace = !namespace.isEmpty() && namespace.length() <= LONGEST_NAMESPACE && namespace.chars().allMatch(Keys::isAllowed);
        return isNamespace ? Optional.of(new Keys(prefix, prefix + "snapshot/" + namespace + ":")) : Optional.empty();
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

    /** Where the snapshot of this id stands. */
    public String key(RequestId id) {
        return stem + id.text();
    }
}
