package dev.mirror.snapshot.guard;

import java.util.ArrayList;
import java.util.List;

/**
 * One of the ways in which databases take a text apart, as far as a read that is often sent depends on it. Where they
 * differ otherwise, {@link SqlScanner} gives up.
 *
 * @param backslash escapes in strings (MySQL)
 * @param hash begins a comment (MySQL)
 * @param dashes begin a comment only where space follows (MySQL)
 */
record SqlDialect(boolean backslash, boolean hash, boolean dashes) {
    private static final List<Boolean> EITHER = List.of(false, true);
    private static final List<Boolean> NO = List.of(false);

    /** Those that can take this text differently; often one. */
    static List<SqlDialect> of(String text) {
        List<SqlDialect> all = new ArrayList<>();
        for (boolean backslash : text.indexOf('\\') < 0 ? NO : EITHER) {
            for (boolean hash : text.indexOf('#') < 0 ? NO : EITHER) {
                for (boolean dashes : hasTightDashes(text) ? EITHER : NO) {
                    all.add(new SqlDialect(backslash, hash, dashes));
                }
            }
        }
        return all;
    }

    private static boolean hasTightDashes(String text) {
        for (int at = text.indexOf("--"); at >= 0; at = text.indexOf("--", at + 1)) {
            if (at + 2 < text.length() && text.charAt(at + 2) > ' ') {
                return true;
            }
        }
        return false;
    }
}
