package dev.mirror.snapshot;

/** This read failed in production, with an exception that cannot be made again here. */
public final class RecordedReadException extends RuntimeException {
    private static final long serialVersionUID = 1;

    RecordedReadException(String error) {
        super("in production this read failed: " + error);
    }
}
