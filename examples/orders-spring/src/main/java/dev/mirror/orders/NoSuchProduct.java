package dev.mirror.orders;

final class NoSuchProduct extends RuntimeException {
    private static final long serialVersionUID = 1;

    NoSuchProduct() {
        super("no such product");
    }
}
