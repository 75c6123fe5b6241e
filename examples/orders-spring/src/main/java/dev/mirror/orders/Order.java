package dev.mirror.orders;

record Order(long userId, int productId, long quantity) {}
