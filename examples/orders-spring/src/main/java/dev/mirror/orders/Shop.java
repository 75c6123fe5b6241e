package dev.mirror.orders;

import java.util.Optional;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import org.springframework.transaction.annotation.Transactional;

/** Products and orders in the database, as they are now. It knows nothing of snapshots. */
@Repository
class Shop {
    private final JdbcClient database;

    Shop(JdbcClient database) {
        this.database = database;
    }

    Optional<Product> product(int id) {
        return database.sql("SELECT id, name, price_cents, stock FROM product WHERE id = ?").param(id).query(Product.class).optional();
    }

    Optional<OrderSnapshot.Price> price(int product) {
        return database.sql("SELECT price_cents AS cents FROM product WHERE id = ?").param(product).query(OrderSnapshot.Price.class).optional();
    }

    Optional<OrderSnapshot.Stock> stock(int product) {
        return database.sql("SELECT stock AS pieces FROM product WHERE id = ?").param(product).query(OrderSnapshot.Stock.class).optional();
    }

    OrderSnapshot.UserInfo user(long id) {
        long orders = database.sql("SELECT count(*) FROM placed WHERE user_id = ?").param(id).query(Long.class).single();
        return new OrderSnapshot.UserInfo(id, orders);
    }

    /** Once for each number: a client that tries again orders nothing more. */
    @Transactional
    public void place(Booking booking) {
        database.sql("INSERT INTO placed VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
                .params(booking.id(), booking.user(), booking.product(), booking.quantity(), booking.receipt().toString(), booking.placedAt(),
                        booking.totalCents())
                .update();
        database.sql("UPDATE product SET stock = stock - ? WHERE id = ?").params(booking.quantity(), booking.product()).update();
    }

    /** Moves every price and stock a little, as a busy shop does. */
    void churn(int round) {
        database.sql("UPDATE product SET price_cents = price_cents + 1 + MOD(id + ?, 3), stock = stock - 1 - MOD(id + ?, 2)")
                .params(round, round)
                .update();
    }
}
