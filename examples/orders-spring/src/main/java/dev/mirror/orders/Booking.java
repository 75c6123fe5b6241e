package dev.mirror.orders;

import java.util.UUID;

/**
 * What is written for an order.
 *
 * @param id its number
 * @param placedAt milliseconds since the epoch
 */
record Booking(String id, long user, int product, long quantity, UUID receipt, long placedAt, long totalCents) {}
