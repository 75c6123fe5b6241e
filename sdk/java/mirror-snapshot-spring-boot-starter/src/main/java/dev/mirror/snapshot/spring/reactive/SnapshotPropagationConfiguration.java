package dev.mirror.snapshot.spring.reactive;

import dev.mirror.snapshot.spring.ConditionalOnSnapshots;
import dev.mirror.snapshot.spring.SnapshotAutoConfiguration;
import dev.mirror.snapshot.spring.SnapshotProperties;
import dev.mirror.snapshot.spring.web.WebSettings;
import io.micrometer.context.ContextRegistry;
import io.micrometer.context.ThreadLocalAccessor;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;

/** Hands requests over to other threads where the service has Micrometer's context propagation. */
@AutoConfiguration(after = SnapshotAutoConfiguration.class)
@ConditionalOnClass({ContextRegistry.class, ThreadLocalAccessor.class})
@ConditionalOnSnapshots
public class SnapshotPropagationConfiguration {
    @Bean
    SmartInitializingSingleton mirrorSnapshotPropagation(SnapshotProperties properties, Environment environment) {
        String mdcKey = WebSettings.of(properties, environment).mdcKey();
        return () -> ContextRegistry.getInstance().registerThreadLocalAccessor(new SnapshotAccessor(mdcKey));
    }
}
