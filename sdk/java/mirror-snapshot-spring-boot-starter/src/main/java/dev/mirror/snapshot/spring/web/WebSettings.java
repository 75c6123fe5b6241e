package dev.mirror.snapshot.spring.web;

import dev.mirror.snapshot.spring.SnapshotProperties;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
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
    private static final Logger LOG = LoggerFactory.getLogger(WebSettings.class);

    /** As the properties say. */
    public static WebSettings of(SnapshotProperties properties, Environment environment) {
        long most = Math.max(0, Math.min(properties.maxBody().toBytes(), Integer.MAX_VALUE - 16));
        boolean peer = switch (properties.peer()) {
            case TRUE -> true;
            case FALSE -> false;
            case AUTO -> !serverReplacesAddresses(environment);
        };
        return new WebSettings(header(properties.responseHeader()), trimmed(properties.mdcKey()), (int) most, peer);
    }

    /** Of letters, digits and signs that a header's name may have; else none, and the log says so. */
    private static String header(@Nullable String name) {
        String trimmed = trimmed(name);
        boolean isName = trimmed.chars().allMatch(c -> c > ' ' && c < 0x7f && "()<>@,;:\\\"/[]?={}".indexOf(c) < 0);
        if (!isName) {
            LOG.error("mirror.snapshot.response-header is not the name of a header, and none is set: write x-mirror-request-id");
        }
        return isName ? trimmed : "";
    }

    private static String trimmed(@Nullable String text) {
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
