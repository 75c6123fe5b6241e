package dev.mirror.snapshot.rules;

/**
 * What a rule did not find.
 *
 * @param field as the rule writes it
 */
record Missing(Derivation.Reason reason, String field) {
    static Missing field(String field) {
        return new Missing(Derivation.Reason.FIELD_MISSING, field);
    }

    /** What a body has as JSON, which lacks the field. */
    static Missing json(Message message, String field) {
        if (message.body() == null) {
            return new Missing(Derivation.Reason.BODY_NOT_READ, field);
        }
        return message.json() == null ? new Missing(Derivation.Reason.BODY_NOT_JSON, field) : field(field);
    }
}
