package dev.mirror.snapshot.spring.reactive;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.document.Hash;
import dev.mirror.snapshot.spring.Answer;
import dev.mirror.snapshot.spring.Recorded;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.Service;
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

    @Test
    void forwarded_addresses_and_paths_are_not_what_came_over_the_wire() {
        for (String strategy : new String[] {"framework", "none"}) {
            try (Service service = service(strategy)) {
                Recorded<Answer> named = Recorded.by(service.bean(Snapshots.class),
                        () -> service.get("/nothing-read?n=" + UUID.randomUUID(), FORWARDED), answer -> answer.header(Headers.REQUEST_ID));
                String[] parts = named.id().split("\\|");
                assertEquals("127.0.0.1|/nothing-read|" + parts[2] + "|9.9.9.9", named.id(), strategy);
                String document = named.document();
                assertTrue(document.contains("\"request\":\"" + Hash.request("GET", "/nothing-read?n=" + parts[2]) + "\""), document);
                assertTrue(document.contains("\"peer\":\"127.0.0.1:"), document);
            }
        }
    }

    @Test
    void where_the_server_replaces_addresses_none_is_told() {
        try (Service service = service("native")) {
            Recorded<Answer> filed = Recorded.by(service.bean(Snapshots.class),
                    id -> service.get("/nothing-read", "x-id", id, "x-forwarded-for", "9.9.9.9"));
            assertFalse(filed.document().contains("peer"), filed.document());
        }
    }
}
