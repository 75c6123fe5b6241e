package dev.mirror.snapshot;

import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;

/**
 * The id of one of several identical requests. The number only keeps keys apart, so it is drawn at random and no process has to
 * know of another.
 *
 * @param derived what the rule makes of each of the requests
 * @param number 16 lower-case hex digits
 * @param id both
 */
record Numbered(RequestId derived, String number, RequestId id) {
    private static final SecureRandom RANDOM = new SecureRandom();

    /** Empty where the id would be too long. */
    static Optional<Numbered> drawn(RequestId derived) {
        String number = HexFormat.of().toHexDigits(RANDOM.nextLong());
        return derived.numbered(number).map(id -> new Numbered(derived, number, id));
    }
}
