package dev.mirror.orders;

import dev.mirror.orders.OrdersOptions.Mistake;
import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.SnapshotStrategy;
import java.time.Clock;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/**
 * The third way, with most control: all that an order needs is one object, from a strategy of which production and mirror
 * have each their own, in {@link OrderSnapshots}. The order itself is written in production only; what is written is compared.
 *
 * <p>The clock is the snapshots', and so is the random receipt: both are the same in the mirror.
 */
@RestController
class OrderController {
    private final SnapshotStrategy<OrderSnapshot.Key, OrderSnapshot> snapshots;
    private final SnapshotSource source;
    private final Clock clock;
    private final Shop shop;
    private final @Nullable Mistake mistake;

    OrderController(SnapshotStrategy<OrderSnapshot.Key, OrderSnapshot> snapshots, SnapshotSource source, Clock clock, Shop shop,
            OrdersOptions options) {
        this.snapshots = snapshots;
        this.source = source;
        this.clock = clock;
        this.shop = shop;
        this.mistake = options.mistake();
    }

    /** @param placedAt milliseconds since the epoch */
    record Placed(String orderId, UUID receipt, long placedAt, long ordersBefore, long totalCents, long remaining) {}

    @PostMapping("/orders")
    Placed place(@RequestBody Order order) {
        OrderSnapshot read = snapshots.snapshot(new OrderSnapshot.Key(order.userId(), order.productId()));
        if (read == null) {
            throw new NoSuchProduct();
        }
        if (mistake == Mistake.ROW_PER_PIECE) {
            for (long piece = 0; piece < order.quantity(); piece++) {
                readAgain(order.productId());
            }
        }
        String number = source.id().map(RequestId::toString).orElse("unnamed");
        UUID receipt = source.randomId();
        long placedAt = clock.instant().toEpochMilli();
        long totalCents = read.price().cents() * order.quantity();
        long booked = mistake == Mistake.BOOKED_AMOUNT ? totalCents + 1 : totalCents;
        Booking booking = new Booking(number, order.userId(), order.productId(), order.quantity(), receipt, placedAt, booked);
        source.write("order", number, booking, Void.class, () -> {
            shop.place(booking);
            return null;
        });
        return new Placed(number, receipt, placedAt, read.user().orders(), totalCents, read.stock().pieces() - order.quantity());
    }

    /** The result changes nothing, and no snapshot has it. */
    private void readAgain(int product) {
        source.loadOr("product", product, Product.class, () -> shop.product(product).orElse(null), () -> null);
    }
}
