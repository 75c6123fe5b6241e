package dev.mirror.snapshot.spring.web;

import dev.mirror.snapshot.spring.SnapshotProperties;
import org.springframework.boot.cloud.CloudPlatform;
import org.springframework.core.env.Environment;
import org.springframework.util.StringUtils;

/**
 * What both kinds of filter need to know.
 *
 * @param responseHeader tells the id; empty for none
 * @param mdcKey the id's in the logging context; empty for none
 * @param mostBody bytes of a body that are read for a rule
 * @param peer whether the address of the other end is the connection's
 */
public record WebSettings(String responseHeader, String mdcKey, int mostBody, boolean peer) {
    /** As the properties say. */
    public static WebSettings of(SnapshotProperties properties, Environment environment) {
        long most = Math.max(0, Math.min(properties.maxBody().toBytes(), Integer.MAX_VALUE - 16));
        boolean peer = switch (properties.peer()) {
            case TRUE -> true;
            case FALSE -> false;
            case AUTO -> !serverReplacesAddresses(environment);
        };
        return new WebSettings(trimmed(properties.responseHeader()), trimmed(properties.mdcKey()), (int) most, peer);
    }

    private static String trimmed(String text) {
        return text == null ? "" : text.trim();
    }

    /** Then what the server calls the other end is what a proxy wrote. */
    private static boolean serverReplacesAddresses(Environment environment) {
        if (StringUtils.hasText(environment.getProperty("server.tomcat.remoteip.remote-ip-header"))
                || StringUtils.hasText(environment.getProperty("server.tomcat.remoteip.protocol-header"))) {
            return true;
        }
        String strategy = environment.getProperty("server.forward-headers-strategy");
        if (StringUtils.hasText(strategy)) {
            return strategy.trim().equalsIgnoreCase("native");
        }
        CloudPlatform platform = CloudPlatform.getActive(environment);
        return platform != null && platform.isUsingForwardHeaders();
    }
}
