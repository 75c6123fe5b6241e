package dev.mirror.snapshot.spring.actuate;

import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;

/** For Spring Boot 4. */
final class SnapshotContributor implements HealthIndicator {
    private final StoreHealth health;

    SnapshotContributor(StoreHealth health) {
        this.health = health;
    }

    @Override
    public Health health() {
        StoreHealth.Told told = health.tell();
        return new Health.Builder().status(told.status()).withDetails(told.details()).build();
    }
}
