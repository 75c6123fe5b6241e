package dev.mirror.snapshot.rules;

import dev.mirror.snapshot.RequestId;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How a request was named, or why it was not.
 *
 * @param id empty where no rule yields one
 * @param counted whether identical requests are told apart by a number, which is still to be put after the id
 * @param reason null where there is an id
 * @param rule the text of the rule that came nearest, with the reason; null where there is an id or no rule
 * @param field what of the rule was missing, as the rule writes it; null where that is not the reason. Never a value
 */
public record Derivation(Optional<RequestId> id, boolean counted, @Nullable Reason reason, @Nullable String rule, @Nullable String field) {
    static final Derivation NO_RULE = new Derivation(Optional.empty(), false, Reason.NO_RULE, null, null);

    /** Why a request has no id. Where several rules failed, the last of these reasons counts, and of equal ones the first rule's. */
    public enum Reason {
        /** No rule is for its route. */
        NO_RULE,
        /** A field that the rule reads is missing. */
        FIELD_MISSING,
        /** What the rule made is no id. */
        NOT_AN_ID,
        /** The rule reads a field of the body as JSON, and it is no JSON. */
        BODY_NOT_JSON,
        /** The rule reads a field of the body, and the body was not there to be read. */
        BODY_NOT_READ
    }

    static Derivation named(RequestId id, boolean counted) {
        return new Derivation(Optional.of(id), counted, null, null, null);
    }

    static Derivation unnamed(Reason reason, String rule, @Nullable String field) {
        return new Derivation(Optional.empty(), false, reason, rule, field);
    }

    /** The reason's, by which of several counts. */
    int rank() {
        return reason == null ? -1 : reason.ordinal();
    }

    /** One line for a log: what happened and what to do about it, without any value; empty where there is an id. */
    public String detail() {
        if (reason == null) {
            return "";
        }
        return switch (reason) {
            case NO_RULE -> "no rule is for the request's route: add one, to service and agent alike, if its snapshots are wanted";
            case FIELD_MISSING -> "the rule `" + rule + "` yields nothing: " + field + " is missing in the request. Add a rule behind it for such requests,"
                    + " or write `{?` before a field that may be missing";
            case NOT_AN_ID -> "the rule `" + rule + "` yields no id, which is 1 to 256 characters from ! to ~: take md5 of it";
            case BODY_NOT_JSON -> "the rule `" + rule + "` yields nothing: it reads " + field + ", and the body is no JSON. Give the rule a route"
                    + " whose bodies are, or add a rule behind it";
            case BODY_NOT_READ -> "the rule `" + rule + "` yields nothing: it reads " + field + ", and the body was not read, because it is too large,"
                    + " streamed or coded. Name such requests by a header, or raise the limit";
        };
    }
}
