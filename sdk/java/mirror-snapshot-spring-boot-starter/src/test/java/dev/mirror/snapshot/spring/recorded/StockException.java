package dev.mirror.snapshot.spring.recorded;

/** A checked exception of the service's own. */
public final class StockException extends Exception {
    private static final long serialVersionUID = 1;

    public StockException(String message) {
        super(message);
    }
}
