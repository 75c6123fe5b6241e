package dev.mirror.snapshot.spring.reactive;

import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.ConditionalOnSnapshots;
import dev.mirror.snapshot.spring.SnapshotAutoConfiguration;
import dev.mirror.snapshot.spring.SnapshotProperties;
import dev.mirror.snapshot.spring.web.WebSettings;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;
import org.springframework.http.codec.ServerCodecConfigurer;
import org.springframework.web.server.WebFilter;
import reactor.core.publisher.Mono;

/** The filter of reactive services. */
@AutoConfiguration(after = SnapshotAutoConfiguration.class)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.REACTIVE)
@ConditionalOnClass({WebFilter.class, Mono.class})
@ConditionalOnSnapshots
public class SnapshotReactiveConfiguration {
    @Bean
    SnapshotWebFilter mirrorSnapshotWebFilter(Snapshots snapshots, SnapshotProperties properties, Environment environment,
            ObjectProvider<ServerCodecConfigurer> codecs) {
        return new SnapshotWebFilter(snapshots, WebSettings.of(properties, environment), codecs.getIfAvailable());
    }

    @Bean
    @ConditionalOnSnapshots(Profile.MIRROR)
    RefusalHandler mirrorSnapshotRefusalHandler() {
        return new RefusalHandler();
    }
}
