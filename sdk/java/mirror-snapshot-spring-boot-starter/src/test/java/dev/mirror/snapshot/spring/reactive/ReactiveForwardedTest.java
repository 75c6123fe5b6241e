package dev.mirror.snapshot.spring.reactive;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.document.Hash;
import dev.mirror.snapshot.spring.Answer;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.Service;
import dev.mirror.snapshot.spring.Waiting;
import java.util.UUID;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** By itself, since one service on Netty that is closed ends all others of its process. */
@Tag("once")
class ReactiveForwardedTest {
    private static final String[] FORWARDED =
            {"x-forwarded-for", "9.9.9.9", "x-forwarded-prefix", "/shop", "x-forwarded-host", "shop.example"};

    private static Service service(String strategy) {
        return Service.reactive(ReactiveShop.class, "mirror.snapshot.profile=production",
                "mirror.snapshot.store=" + Redis.shared().url(), "server.forward-headers-strategy=" + strategy,
                "mirror.snapshot.rules[0]=header:x-id",
                "mirror.snapshot.rules[1]=none(\"{client}|{path}|{?query:n}|{header:x-forwarded-for}\")");
    }

    private static String document(String id) {
        return Waiting.found("the snapshot of " + id, () -> Redis.shared().get("snapshot:" + id));
    }

    @Test
    void forwarded_addresses_and_paths_are_not_what_came_over_the_wire() {
        for (String strategy : new String[] {"framework", "none"}) {
            try (Service service = service(strategy)) {
                String n = UUID.randomUUID().toString();
                Answer answer = service.get("/nothing-read?n=" + n, FORWARDED);
                String named = "127.0.0.1|/nothing-read|" + n + "|9.9.9.9";
                assertEquals(named, answer.header(Headers.REQUEST_ID), strategy);
                String document = document(named);
                assertTrue(document.contains("\"request\":\"" + Hash.request("GET", "/nothing-read?n=" + n) + "\""), document);
                assertTrue(document.contains("\"peer\":\"127.0.0.1:"), document);
            }
        }
    }

    @Test
    void where_the_server_replaces_addresses_none_is_told() {
        try (Service service = service("native")) {
            String id = UUID.randomUUID().toString();
            service.get("/nothing-read", "x-id", id, "x-forwarded-for", "9.9.9.9");
            assertFalse(document(id).contains("peer"));
        }
    }
}
