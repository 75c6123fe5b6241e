package dev.mirror.snapshot.guard;

/**
 * A piece of a statement's text.
 *
 * @param text in lower case, without quotes around it
 */
record SqlToken(Kind kind, String text) {
    enum Kind {
        /** A keyword, or a name without quotes. */
        WORD,
        /** In double quotes, backticks or brackets: never a keyword, but it can name a function. */
        NAME,
        STRING,
        /** Begins with a digit. Some databases take {@code 1delete} for two tokens. */
        NUMBER,
        /** One character. */
        SIGN
    }

    boolean isWord(String word) {
        return kind == Kind.WORD && text.equals(word);
    }

    boolean isSign(String sign) {
        return kind == Kind.SIGN && text.equals(sign);
    }
}
