package dev.mirror.orders;

record Product(int id, String name, long priceCents, long stock) {}
