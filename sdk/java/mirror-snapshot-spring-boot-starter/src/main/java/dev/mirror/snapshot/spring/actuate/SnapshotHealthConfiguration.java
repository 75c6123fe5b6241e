package dev.mirror.snapshot.spring.actuate;

import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.ConditionalOnSnapshots;
import dev.mirror.snapshot.spring.SnapshotAutoConfiguration;
import dev.mirror.snapshot.spring.SnapshotMisuses;
import java.util.Set;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Conditional;

/** The health contributor {@code snapshots} of Spring Boot 3. */
@AutoConfiguration(after = SnapshotAutoConfiguration.class)
@ConditionalOnClass(HealthIndicator.class)
@ConditionalOnSnapshots
@Conditional(OnHealth.class)
public class SnapshotHealthConfiguration {
    @Bean
    @ConditionalOnMissingBean(name = "snapshotsHealthIndicator")
    SnapshotHealthIndicator snapshotsHealthIndicator(Snapshots snapshots, ObjectProvider<SnapshotMisuses> misuses) {
        return new SnapshotHealthIndicator(new StoreHealth(snapshots, misuses.getIfAvailable(() -> Set::of)));
    }
}
