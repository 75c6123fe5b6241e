package dev.mirror.snapshot.spring.actuate;

import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Snapshots;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.MeterBinder;

/** What becomes of snapshots, as meters whose names begin with {@code mirror.snapshot}. */
final class SnapshotMeters implements MeterBinder {
    private final Snapshots snapshots;

    SnapshotMeters(Snapshots snapshots) {
        this.snapshots = snapshots;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        for (Outcome outcome : Outcome.values()) {
            count(registry, outcome);
        }
        Gauge.builder("mirror.snapshot.pending.documents", snapshots, Snapshots::pendingDocuments)
                .description("snapshots, in a mirror effects, that wait for the store").register(registry);
        Gauge.builder("mirror.snapshot.pending.bytes", snapshots, Snapshots::pendingBytes)
                .description("heap of what is recorded or waits for the store").baseUnit("bytes").register(registry);
        Timer waits = Timer.builder("mirror.snapshot.waits")
                .description("how long the mirror looked for a snapshot").register(registry);
        snapshots.onWait(waits::record);
    }

    private void count(MeterRegistry registry, Outcome outcome) {
        String meter = meter(outcome);
        String tag = switch (outcome) {
            case FOUND_COLLIDED -> "collided";
            case WRITE_RECORDED -> "recorded";
            case WRITE_REFUSED -> "refused";
            case EFFECTS_FILED -> "filed";
            case EFFECTS_DROPPED -> "dropped";
            case EFFECTS_FAILED -> "failed";
            case EFFECTS_TOO_LATE -> "too_late";
            default -> outcome.text();
        };
        FunctionCounter.builder(meter, snapshots, from -> from.counts().of(outcome))
                .description(description(meter)).tag("outcome", tag).register(registry);
    }

    private static String meter(Outcome outcome) {
        return switch (outcome) {
            case FILED, COLLIDED, DROPPED, FAILED, TOO_LARGE, NOT_ENCODED, TOO_LATE, UNFINISHED -> "mirror.snapshot.puts";
            case NO_ID, BODY_NOT_JSON, BODY_NOT_READ, MISCONFIGURED -> "mirror.snapshot.requests";
            case HIT, LATE, MISSING, FOUND_COLLIDED, UNAVAILABLE, UNREADABLE -> "mirror.snapshot.looks";
            case WRONG_TYPE, NOT_RECORDED, NO_REQUEST -> "mirror.snapshot.reads";
            case WRITE_RECORDED, WRITE_REFUSED -> "mirror.snapshot.writes";
            case EFFECTS_FILED, EFFECTS_DROPPED, EFFECTS_FAILED, EFFECTS_TOO_LATE -> "mirror.snapshot.effects";
        };
    }

    private static String description(String meter) {
        return switch (meter) {
            case "mirror.snapshot.puts" -> "what became of production's snapshots";
            case "mirror.snapshot.requests" -> "requests that have no snapshot";
            case "mirror.snapshot.looks" -> "how the mirror's looks for snapshots ended";
            case "mirror.snapshot.reads" -> "reads that a mirror's snapshot did not answer";
            case "mirror.snapshot.effects" -> "what became of what a mirror files of requests";
            default -> "writes that the mirror did not do";
        };
    }
}
