package dev.mirror.snapshot.rules;

import dev.mirror.snapshot.RequestId;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Rules for the request id, in order; the first that yields an id wins. CONTRACT.md, "Ids", says what they are. Immutable, for any
 * number of threads.
 */
public final class IdRules {
    private final List<Rule> rules;
    /** What any of them reads of a JSON body. */
    private final JsonPaths paths;

    private IdRules(List<Rule> rules, JsonPaths paths) {
        this.rules = rules;
        this.paths = paths;
    }

    /**
     * @param texts the rules as people write them
     * @throws RuleException where one of them cannot be understood
     */
    public static IdRules parse(List<String> texts) {
        List<Rule> rules = new ArrayList<>();
        JsonPaths paths = new JsonPaths();
        for (String text : texts) {
            rules.add(Rule.parse(text == null ? "" : text, paths));
        }
        return new IdRules(List.copyOf(rules), paths);
    }

    /**
     * Names a request by itself, as production does when it arrives.
     *
     * @param seconds since the epoch, not negative
     */
    public Derivation derive(RequestFields request, long seconds) {
        return derive(request, null, seconds);
    }

    /**
     * Names a request by itself and the response to it.
     *
     * @param response null where there is none
     * @param seconds since the epoch, not negative
     */
    public Derivation derive(RequestFields request, @Nullable RequestFields response, long seconds) {
        Exchange exchange = new Exchange(request, response, paths);
        for (Rule rule : rules) {
            RequestId id = rule.applies(exchange) ? rule.id(exchange, seconds) : null;
            if (id != null) {
                return Derivation.named(id, rule.isCounted());
            }
        }
        return unnamed(exchange, seconds);
    }

    /** Looks a second time, for why. */
    private Derivation unnamed(Exchange exchange, long seconds) {
        Derivation why = Derivation.NO_RULE;
        for (Rule rule : rules) {
            if (rule.applies(exchange)) {
                Derivation its = rule.unnamed(exchange, seconds);
                why = its.rank() > why.rank() ? its : why;
            }
        }
        return why;
    }

    /**
     * The ids that production may have used. Where the winning rule holds the time these are the captured second's, then those after and
     * before it: production derives the id a moment after the request was seen.
     *
     * @param response null where there is none
     * @param seconds since the epoch when the request was captured, not negative
     * @param skew seconds around that, not negative
     */
    public Candidates candidates(RequestFields request, @Nullable RequestFields response, long seconds, long skew) {
        Exchange exchange = new Exchange(request, response, paths);
        for (Rule rule : rules) {
            RequestId first = rule.applies(exchange) ? rule.id(exchange, seconds) : null;
            if (first != null) {
                return new Candidates(around(rule, first, exchange, seconds, skew), rule.isCounted(), rule.bucketSeconds());
            }
        }
        return new Candidates(List.of(), false, 0);
    }

    private static List<RequestId> around(Rule rule, RequestId first, Exchange exchange, long seconds, long skew) {
        List<RequestId> ids = new ArrayList<>(List.of(first));
        for (long away = 1; away <= skew && rule.bucketSeconds() > 0; away++) {
            for (long second : new long[] {seconds + away, Math.max(0, seconds - away)}) {
                RequestId id = rule.id(exchange, second);
                if (id != null && !ids.contains(id)) {
                    ids.add(id);
                }
            }
        }
        return ids;
    }

    /** Whether a rule that may apply to this request reads its body. */
    public boolean readsBody(String method, String target) {
        Target parsed = null;
        for (Rule rule : rules) {
            if (rule.readsBody()) {
                parsed = parsed == null ? new Target(method, target) : parsed;
                if (rule.applies(method, parsed)) {
                    return true;
                }
            }
        }
        return false;
    }

    /** The response header by which production tells the id, in lower case, where that is how such a request is named. */
    public Optional<String> toldIn(String method, String target) {
        Target parsed = null;
        for (Rule rule : rules) {
            if (rule.toldIn() != null) {
                parsed = parsed == null ? new Target(method, target) : parsed;
                if (rule.applies(method, parsed)) {
                    return Optional.of(rule.toldIn());
                }
            }
        }
        return Optional.empty();
    }
}
