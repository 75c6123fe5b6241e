package dev.mirror.orders;

import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.SnapshotStrategy;
import java.time.Clock;
import java.time.Instant;
import java.util.UUID;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/**
 * The third way, with most control: all that an order needs is one object, from a strategy of which production and mirror
 * have each their own, in {@link OrderSnapshots}. The order itself is written in production only.
 *
 * <p>The clock is the snapshots', and so is the random receipt: both are the same in the mirror.
 */
@RestController
class OrderController {
    private final SnapshotStrategy<OrderSnapshot.Key, OrderSnapshot> snapshots;
    private final SnapshotSource source;
    private final Clock clock;
    private final Shop shop;

    OrderController(
            SnapshotStrategy<OrderSnapshot.Key, OrderSnapshot> snapshots, SnapshotSource source, Clock clock, Shop shop) {
        this.snapshots = snapshots;
        this.source = source;
        this.clock = clock;
        this.shop = shop;
    }

    /** @param placedAt milliseconds since the epoch */
    record Placed(String orderId, UUID receipt, long placedAt, long ordersBefore, long totalCents, long remaining) {}

    @PostMapping("/orders")
    Placed place(@RequestBody Order order) {
        OrderSnapshot read = snapshots.snapshot(new OrderSnapshot.Key(order.userId(), order.productId()));
        if (read == null) {
            throw new NoSuchProduct();
        }
        String number = source.id().map(RequestId::toString).orElse("unnamed");
        UUID receipt = source.randomId();
        Instant placedAt = clock.instant();
        source.write("order", number, Void.class, () -> {
            shop.place(number, order, receipt, placedAt);
            return null;
        });
        return new Placed(
                number,
                receipt,
                placedAt.toEpochMilli(),
                read.user().orders(),
                read.price().cents() * order.quantity(),
                read.stock().pieces() - order.quantity());
    }
}
