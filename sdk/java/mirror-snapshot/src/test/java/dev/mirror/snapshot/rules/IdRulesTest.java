package dev.mirror.snapshot.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.rules.Derivation.Reason;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class IdRulesTest {
    private static final Sent POST = Sent.request("POST", "/users/7/cart?page=2&page=3");

    private static IdRules rules(String... texts) {
        return IdRules.parse(Arrays.asList(texts));
    }

    @Test
    void a_request_without_an_id_says_why() {
        check(Reason.NO_RULE, POST);
        check(Reason.NO_RULE, POST, "GET /users/** => header:x-id");
        check(Reason.FIELD_MISSING, POST, "header:x-id");
        check(Reason.FIELD_MISSING, POST, "traceparent");
        check(Reason.FIELD_MISSING, POST, "response-header:x-id");
        check(Reason.FIELD_MISSING, POST, "response-json:id");
        check(Reason.FIELD_MISSING, POST, "md5(\"{method}{query:q}\")");
        check(Reason.FIELD_MISSING, POST.with("{}"), "md5(\"{json:a}\")");
        check(Reason.FIELD_MISSING, POST.with("{\"a\":null}"), "md5(\"{json:a}\")");
        check(Reason.FIELD_MISSING, POST.with("a=1"), "md5(\"{form:a}\")");
        check(Reason.FIELD_MISSING, POST, "md5(\"{form:a}\")");
        check(Reason.NOT_AN_ID, POST.with("x-id", "a b"), "header:x-id");
        check(Reason.NOT_AN_ID, POST.with("x-id", ""), "header:x-id");
        check(Reason.NOT_AN_ID, POST, "none(\" {method}\")");
        check(Reason.BODY_NOT_JSON, POST.with("{"), "md5(\"{json:a}\")");
        check(Reason.BODY_NOT_JSON, POST.with(""), "md5(\"{json:a}\")");
        check(Reason.BODY_NOT_READ, POST, "md5(\"{json:a}\")");
        check(Reason.BODY_NOT_READ, POST.with("content-type", "application/x-www-form-urlencoded"), "md5(\"{form:a}\")");
    }

    @Test
    void of_several_reasons_the_one_that_says_most_is_told() {
        check(Reason.BODY_NOT_READ, POST, "header:x-id", "md5(\"{json:a}\")");
        check(Reason.BODY_NOT_JSON, POST.with("x"), "md5(\"{json:a}\")", "header:x-id");
        check(Reason.NOT_AN_ID, POST, "header:x-id", "none(\" {method}\")", "traceparent");
        Derivation first = rules("header:x-a", "header:x-b").derive(POST, 0);
        assertEquals("header:x-a", first.rule());
    }

    @Test
    void a_reason_names_rule_and_field_and_no_value() {
        Derivation missing = rules("GET /a => header:x-id", "md5(\"{query:page}:{json:user.id}\") #n").derive(POST.with("{\"user\":\"secret\"}"), 0);
        assertEquals(Reason.FIELD_MISSING, missing.reason());
        assertEquals("md5(\"{query:page}:{json:user.id}\") #n", missing.rule());
        assertEquals("{json:user.id}", missing.field());
        assertTrue(missing.detail().contains(missing.rule()) && missing.detail().contains("{json:user.id} is missing"), missing.detail());
        assertFalse(missing.detail().contains("secret"));
        for (Reason reason : Reason.values()) {
            assertFalse(Derivation.unnamed(reason, "rule", "field").detail().isEmpty());
        }
    }

    @Test
    void a_field_that_may_be_missing_is_no_reason() {
        Derivation derived = rules("md5(\"{method}{?json:a}{?form:a}\")").derive(POST, 0);
        assertNull(derived.reason());
        assertEquals("", derived.detail());
        assertTrue(derived.id().isPresent());
    }

    private static void check(Reason reason, Sent request, String... rules) {
        Derivation derived = rules(rules).derive(request, 0);
        assertEquals(Optional.empty(), derived.id());
        assertEquals(reason, derived.reason(), List.of(rules).toString());
    }

    @Test
    void the_body_is_asked_for_only_where_a_rule_reads_it() {
        IdRules rules = rules("header:a", "POST /orders => md5(\"{json:id}\")", "* /forms/** => md5(\"{?form:id}{path}\")", "response-json:id");
        assertTrue(rules.readsBody("POST", "/orders?x=1"));
        assertTrue(rules.readsBody("PUT", "http://host/forms/7"));
        assertFalse(rules.readsBody("GET", "/orders"));
        assertFalse(rules.readsBody("POST", "/carts"));
        assertFalse(rules().readsBody("POST", "/"));
    }

    @Test
    void the_body_is_read_once_and_only_where_no_rule_before_names_the_request() {
        AtomicInteger asked = new AtomicInteger();
        RequestFields request = new RequestFields() {
            @Override
            public String header(String name, int nth) {
                return name.equals("x-id") && nth == 0 ? "abc" : null;
            }

            @Override
            public byte[] body() {
                asked.incrementAndGet();
                return new byte[] {'{', '}'};
            }
        };
        assertTrue(rules("header:x-id", "md5(\"{json:a}\")").derive(request, 0).id().isPresent());
        assertEquals(0, asked.get());
        assertTrue(rules("md5(\"{json:a}\")", "md5(\"{?json:b}{json:c}\")", "header:x-id").derive(request, 0).id().isPresent());
        assertEquals(1, asked.get());
    }

    @Test
    void a_header_that_tells_the_id_is_found_by_route() {
        IdRules rules = rules("header:x-id", "POST /orders => response-header:X-Order-Id", "response-header:x-any");
        assertEquals(Optional.of("x-order-id"), rules.toldIn("POST", "/orders"));
        assertEquals(Optional.of("x-any"), rules.toldIn("GET", "/orders"));
        assertEquals(Optional.empty(), rules("header:x-id").toldIn("GET", "/orders"));
    }

    @Test
    void neighbouring_seconds_are_tried_only_where_the_rule_holds_the_time() {
        check("none(\"{time:s}\")", 100, "100", "101", "99");
        check("none(\"{time:s}\")", 0, "0", "1");
        check("none(\"{time:1m}\")", 90, "1");
        check("none(\"{time:1m}\")", 60, "1", "0");
        check("none(\"{method}\")", 100, "POST");
    }

    private static void check(String rule, long seconds, String... ids) {
        Candidates candidates = rules(rule).candidates(POST, null, seconds, 1);
        assertEquals(List.of(ids), candidates.ids().stream().map(RequestId::text).toList(), rule + " at " + seconds);
    }

    @Test
    void what_stands_around_a_rule_is_no_part_of_it() {
        for (String rule : new String[] {" header:x-id", "header:x-id\n", "\theader:x-id \r\n", "* /** =>  header:x-id", "header:x-id   #n", "\u00a0header:x-id\u2003"}) {
            assertEquals(Optional.of(new RequestId("abc")), rules(rule).derive(POST.with("x-id", "abc"), 0).id(), rule);
        }
    }

    @Test
    void a_rule_that_is_null_or_empty_is_refused() {
        for (String none : new String[] {null, "", " "}) {
            assertThrows(RuleException.class, () -> rules(none));
        }
    }
}
