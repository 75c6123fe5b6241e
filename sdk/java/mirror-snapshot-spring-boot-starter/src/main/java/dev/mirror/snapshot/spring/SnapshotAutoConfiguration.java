package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.SnapshotClock;
import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.document.ValueCodec;
import dev.mirror.snapshot.guard.WriteGuard;
import java.time.Clock;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;
import reactor.core.publisher.Mono;

/** What services inject. It is there in every profile, also where snapshots are off. */
@AutoConfiguration
@EnableConfigurationProperties(SnapshotProperties.class)
public class SnapshotAutoConfiguration {
    @Bean(destroyMethod = "close")
    @ConditionalOnMissingBean
    Snapshots snapshots(SnapshotProperties properties, ListableBeanFactory beans, Environment environment) {
        return new SnapshotsFactory(properties, beans).create(Part.of(environment));
    }

    @Bean
    @ConditionalOnMissingBean
    SnapshotSource snapshotSource(Snapshots snapshots) {
        return snapshots.source();
    }

    /** How values are written as JSON. A service may have one of its own, the same in production and mirror. */
    @Bean
    @ConditionalOnMissingBean
    @ConditionalOnSnapshots
    ValueCodec snapshotValueCodec() {
        return new ValueCodec();
    }

    /** A service with a clock of its own wraps that in a {@link SnapshotClock} itself. */
    @Bean
    @ConditionalOnMissingBean
    Clock snapshotClock(Snapshots snapshots) {
        return snapshots.profile() == Profile.OFF ? Clock.systemUTC() : new SnapshotClock(Clock.systemUTC());
    }

    /** What a service asks before it writes by a client that nothing here knows. */
    @Bean
    @ConditionalOnMissingBean
    WriteGuard snapshotWriteGuard(Snapshots snapshots, SnapshotProperties properties) {
        return snapshots.guard(properties.guard().jdbc() == SnapshotProperties.Writes.RECORD
                ? WriteGuard.Verdict.RECORD : WriteGuard.Verdict.REFUSE);
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(Mono.class)
    static class Reactive {
        @Bean
        @ConditionalOnMissingBean
        ReactiveSnapshotSource reactiveSnapshotSource(Snapshots snapshots, SnapshotProperties properties,
                ObjectProvider<ValueCodec> codec) {
            return new ReactiveSnapshotSource(snapshots, codec.getIfAvailable(), SnapshotsFactory.bytes(properties.maxDocument()));
        }
    }
}
