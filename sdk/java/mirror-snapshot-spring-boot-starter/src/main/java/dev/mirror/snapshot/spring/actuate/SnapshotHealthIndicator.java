package dev.mirror.snapshot.spring.actuate;

import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;

/** For Spring Boot 3. */
final class SnapshotHealthIndicator implements HealthIndicator {
    private final StoreHealth health;

    SnapshotHealthIndicator(StoreHealth health) {
        this.health = health;
    }

    @Override
    public Health health() {
        StoreHealth.Told told = health.tell();
        return new Health.Builder().status(told.status()).withDetails(told.details()).build();
    }
}
