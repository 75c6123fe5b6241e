package dev.mirror.snapshot.spring;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.AppenderBase;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** What Tomcat logs as errors, with their stacks: an answer with status 500 does not tell why. */
public final class ServerFaults extends AppenderBase<ILoggingEvent> {
    private static final Queue<String> FAULTS = new ConcurrentLinkedQueue<>();

    @Override
    protected void append(ILoggingEvent event) {
        FAULTS.add(event.getFormattedMessage() + "\n" + ThrowableProxyUtil.asString(event.getThrowableProxy()));
    }

    /** Those since the last call. */
    public static String taken() {
        StringBuilder text = new StringBuilder();
        for (String fault = FAULTS.poll(); fault != null; fault = FAULTS.poll()) {
            text.append(fault);
        }
        return text.toString();
    }
}
