package dev.mirror.snapshot.rules;

/** A rule for the request id that cannot be understood; the message says which, why, and what a rule looks like. */
public final class RuleException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;
    private static final String A_RULE_IS = "A rule is `header:NAME`, `traceparent`, `response-header:NAME`, `response-json:FIELD`, or"
            + " md5, sha256, xxh3 or none of a template as in `md5(\"{json:userId}:{time:s}\")`, which reads {json:FIELD}, {query:NAME}, {form:NAME},"
            + " {header:NAME}, {cookie:NAME}, {path:N}, {path:NAME}, {path}, {method}, {host}, {client} and {time:5s}. `ROUTE => ` may stand before it"
            + " and ` #n` behind it";

    RuleException(String rule, String wrong) {
        super("the rule `" + rule + "` is not understood: " + wrong + ". " + A_RULE_IS);
    }
}
