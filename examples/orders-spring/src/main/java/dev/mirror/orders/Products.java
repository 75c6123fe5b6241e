package dev.mirror.orders;

import dev.mirror.snapshot.spring.RecordedRead;
import java.util.Optional;
import org.springframework.stereotype.Component;

/** Products for requests: read and recorded in production, answered from the snapshot in the mirror. */
@Component
class Products {
    private final Shop shop;

    Products(Shop shop) {
        this.shop = shop;
    }

    @RecordedRead("product")
    public Optional<Product> find(int id) {
        return shop.product(id);
    }
}
