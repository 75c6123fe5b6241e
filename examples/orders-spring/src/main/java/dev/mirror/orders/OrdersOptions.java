package dev.mirror.orders;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * @param apiVersion 1, or 2 with the mistake
 * @param mistake one that no answer shows, or null
 * @param churn milliseconds between two changes of stock and prices; 0 for none
 */
@ConfigurationProperties("orders")
record OrdersOptions(@DefaultValue("1") int apiVersion, @Nullable Mistake mistake, @DefaultValue("0") long churn) {
    /** What only shows in what a request reads and writes. */
    enum Mistake {
        /** Books a cent more than the answer says. */
        BOOKED_AMOUNT,
        /** Reads the product once more for each piece of an order. */
        ROW_PER_PIECE
    }

    OrdersOptions {
        if (apiVersion < 1 || apiVersion > 2) {
            throw new IllegalArgumentException("orders.api-version is 1 or 2");
        }
    }

    /** One percent off for each piece beyond the first, in cents, rounded down. */
    long discount(long priceCents, long quantity) {
        long hundredths = priceCents * quantity * Math.max(0, Math.min(quantity - 1, 20));
        // The planted mistake of version 2: rounded up.
        return apiVersion == 1 ? hundredths / 100 : (hundredths + 99) / 100;
    }
}
