package dev.mirror.snapshot.rules;

/** What is wrong with a part of a rule. {@link Rule} says of which. */
final class NotUnderstood extends Exception {
    private static final long serialVersionUID = 1;

    NotUnderstood(String wrong) {
        super(wrong, null, false, false);
    }
}
