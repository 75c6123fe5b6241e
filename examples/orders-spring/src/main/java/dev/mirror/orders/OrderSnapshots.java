package dev.mirror.orders;

import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.SnapshotStrategy;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;

/** Where an {@link OrderSnapshot} comes from. */
@Configuration(proxyBeanMethods = false)
class OrderSnapshots {
    private static final String NAME = "order snapshot";

    /** Reads the database, and has it recorded. Null where there is no such product. */
    @Bean
    @Profile("!mirror")
    SnapshotStrategy<OrderSnapshot.Key, OrderSnapshot> production(SnapshotSource source, Shop shop) {
        return SnapshotStrategy.recording(source, NAME, OrderSnapshot.class, key -> {
            var user = shop.user(key.userId());
            var stock = shop.stock(key.productId());
            var price = shop.price(key.productId());
            return stock.isPresent() && price.isPresent() ? new OrderSnapshot(user, stock.get(), price.get()) : null;
        });
    }

    /** What production recorded, without a way to any database. */
    @Bean
    @Profile("mirror")
    SnapshotStrategy<OrderSnapshot.Key, OrderSnapshot> mirror(SnapshotSource source) {
        return SnapshotStrategy.serving(source, NAME, OrderSnapshot.class);
    }
}
