package dev.mirror.snapshot.spring.actuate;

import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.ConditionalOnSnapshots;
import dev.mirror.snapshot.spring.SnapshotAutoConfiguration;
import io.micrometer.core.instrument.binder.MeterBinder;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.context.annotation.Bean;

/** Meters where the service has Micrometer. */
@AutoConfiguration(after = SnapshotAutoConfiguration.class)
@ConditionalOnClass(MeterBinder.class)
@ConditionalOnSnapshots
public class SnapshotMetricsConfiguration {
    @Bean
    SnapshotMeters mirrorSnapshotMeters(Snapshots snapshots) {
        return new SnapshotMeters(snapshots);
    }
}
