package dev.mirror.snapshot.spring.web;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.mirror.snapshot.spring.SnapshotProperties;
import org.junit.jupiter.api.Test;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.mock.env.MockEnvironment;

class WebSettingsTest {
    private static WebSettings settings(String... properties) {
        MockEnvironment environment = new MockEnvironment();
        for (String property : properties) {
            int equals = property.indexOf('=');
            environment.setProperty(property.substring(0, equals), property.substring(equals + 1));
        }
        SnapshotProperties bound = Binder.get(environment).bindOrCreate("mirror.snapshot", SnapshotProperties.class);
        return WebSettings.of(bound, environment);
    }

    @Test
    void the_other_end_is_told_unless_the_server_replaces_it() {
        record Case(boolean peer, String... properties) {}
        for (Case each : new Case[] {
            new Case(true),
            new Case(true, "server.forward-headers-strategy=framework"),
            new Case(true, "server.forward-headers-strategy=none"),
            new Case(false, "server.forward-headers-strategy=native"),
            new Case(false, "server.forward-headers-strategy=NATIVE"),
            new Case(false, "server.tomcat.remoteip.remote-ip-header=x-real-ip"),
            new Case(false, "spring.main.cloud-platform=kubernetes"),
            new Case(true, "spring.main.cloud-platform=kubernetes", "server.forward-headers-strategy=none"),
            new Case(true, "spring.main.cloud-platform=kubernetes", "mirror.snapshot.peer=true"),
            new Case(false, "mirror.snapshot.peer=false")}) {
            assertEquals(each.peer, settings(each.properties).peer(), String.join(" ", each.properties));
        }
    }

    @Test
    void headers_and_keys_may_be_left_out() {
        WebSettings standard = settings();
        assertEquals("x-mirror-request-id mirrorRequestId 1048576",
                standard.responseHeader() + " " + standard.mdcKey() + " " + standard.mostBody());
        WebSettings none = settings("mirror.snapshot.response-header=", "mirror.snapshot.mdc-key= ", "mirror.snapshot.max-body=4GB");
        for (String noName : new String[] {"x id", "x:id", "é", "x\n"}) {
            assertEquals(noName.equals("x\n") ? "x" : "", settings("mirror.snapshot.response-header=" + noName).responseHeader());
        }
        assertEquals(" " + (Integer.MAX_VALUE - 16), none.responseHeader() + none.mdcKey() + " " + none.mostBody());
    }
}
