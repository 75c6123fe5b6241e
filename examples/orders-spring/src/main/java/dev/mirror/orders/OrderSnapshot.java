package dev.mirror.orders;

/** All that placing an order reads. */
record OrderSnapshot(UserInfo user, Stock stock, Price price) {
    record Key(long userId, int productId) {}

    /** @param orders how many the user has placed */
    record UserInfo(long id, long orders) {}

    record Stock(long pieces) {}

    record Price(long cents) {}
}
