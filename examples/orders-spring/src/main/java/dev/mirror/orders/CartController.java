package dev.mirror.orders;

import com.fasterxml.jackson.core.type.TypeReference;
import dev.mirror.snapshot.SnapshotSource;
import java.util.Optional;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** The second way: the handler itself says what is read, and under which name and key. */
@RestController
class CartController {
    private final SnapshotSource source;
    private final Shop shop;
    private final OrdersOptions options;

    CartController(SnapshotSource source, Shop shop, OrdersOptions options) {
        this.source = source;
        this.shop = shop;
        this.options = options;
    }

    record Total(long userId, long unitPriceCents, long quantity, long discountCents, long totalCents) {}

    @GetMapping("/cart/{user}/total")
    Total total(@PathVariable long user, @RequestParam int productId, @RequestParam long qty) {
        Product product = source
                .load("product", productId, new TypeReference<Optional<Product>>() {}, () -> shop.product(productId))
                .orElseThrow(NoSuchProduct::new);
        long price = product.priceCents();
        return new Total(user, price, qty, options.discount(price, qty), price * qty);
    }
}
