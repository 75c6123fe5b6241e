package dev.mirror.snapshot.spring;

import com.fasterxml.jackson.databind.type.TypeFactory;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.document.ValueCodec;
import java.io.IOException;
import java.lang.reflect.Type;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.util.context.ContextView;

/**
 * {@link SnapshotSource} for reactive code: it blocks nobody, and finds the request in the context of Reactor, under the key
 * {@code RequestSnapshot.class}, or else as that of the thread that subscribes.
 *
 * <p>All is done when it is subscribed to. In production the publisher that reads is handed on as it is, with what records it
 * beside it; in the mirror it is not asked for.
 */
public final class ReactiveSnapshotSource {
    private final Snapshots snapshots;
    /** Null where snapshots are off. */
    private final ValueCodec codec;
    private final int mostBytes;

    /**
     * @param mostBytes the largest document that is filed
     */
    ReactiveSnapshotSource(Snapshots snapshots, ValueCodec codec, int mostBytes) {
        this.snapshots = snapshots;
        this.codec = codec;
        this.mostBytes = mostBytes;
    }

    /** The id of the request, where it has one. */
    public Mono<RequestId> id() {
        return Mono.deferContextual(context -> Mono.justOrEmpty(source(context).id()));
    }

    /** Whole milliseconds: when production received the request, also in the mirror. Outside of a request: now. */
    public Mono<Instant> now() {
        return Mono.deferContextual(context -> Mono.just(source(context).now()));
    }

    /** A new random id, in the mirror the one that production made. */
    public Mono<UUID> randomId() {
        return load("random id", "", UUID.class, () -> Mono.fromSupplier(UUID::randomUUID));
    }

    /**
     * What {@code database} reads: done and recorded in production, answered from the snapshot in the mirror. Nothing is a
     * value too. What is cancelled is not recorded.
     *
     * @param key a text, a number, or anything that can be written as JSON
     * @param type what it gives
     */
    public <T> Mono<T> load(String name, Object key, Type type, Supplier<? extends Mono<T>> database) {
        return one(Way.READ, name, key, type, database);
    }

    /** {@link #load(String, Object, Type, Supplier)} of a class. */
    public <T> Mono<T> load(String name, Object key, Class<T> type, Supplier<? extends Mono<T>> database) {
        return one(Way.READ, name, key, type, database);
    }

    /**
     * Like {@link #load(String, Object, Type, Supplier)} of many elements, recorded as one list when they end or are
     * cancelled. Where production's fail after some elements, the mirror's fail without them.
     *
     * @param type what each of them is
     */
    public <T> Flux<T> loadMany(String name, Object key, Type type, Supplier<? extends Flux<T>> database) {
        return many(Way.READ, name, key, type, database);
    }

    /** {@link #loadMany(String, Object, Type, Supplier)} of a class. */
    public <T> Flux<T> loadMany(String name, Object key, Class<T> type, Supplier<? extends Flux<T>> database) {
        return many(Way.READ, name, key, type, database);
    }

    /**
     * What {@code database} writes and gives: done in production; never in the mirror, which answers with what it gave there,
     * or refuses.
     */
    public <T> Mono<T> write(String name, Object key, Type type, Supplier<? extends Mono<T>> database) {
        return one(Way.WRITE, name, key, type, database);
    }

    /** {@link #write(String, Object, Type, Supplier)} of a class. */
    public <T> Mono<T> write(String name, Object key, Class<T> type, Supplier<? extends Mono<T>> database) {
        return one(Way.WRITE, name, key, type, database);
    }

    /** {@link #write(String, Object, Type, Supplier)} that gives many elements. */
    public <T> Flux<T> writeMany(String name, Object key, Type type, Supplier<? extends Flux<T>> database) {
        return many(Way.WRITE, name, key, type, database);
    }

    /** Which of a source's two kinds of call. */
    private enum Way {
        READ,
        WRITE;

        <T> CompletionStage<T> serve(SnapshotSource from, String name, Object key, Type type,
                Supplier<CompletionStage<T>> database) {
            return this == READ ? from.loadAsync(name, key, type, database) : from.writeAsync(name, key, type, database);
        }

        /** Records what was done already. */
        void record(SnapshotSource in, String name, Object key, Type type, Object value) {
            if (this == READ) {
                in.load(name, key, type, () -> value);
            } else {
                in.write(name, key, type, () -> value);
            }
        }

        void recordFailure(SnapshotSource in, String name, Object key, Type type, Exception error) {
            try {
                if (this == READ) {
                    in.load(name, key, type, () -> {
                        throw error;
                    });
                } else {
                    in.write(name, key, type, () -> {
                        throw error;
                    });
                }
            } catch (Exception same) {
                // Its subscriber gets it from the publisher.
            }
        }
    }

    private <T> Mono<T> one(Way way, String name, Object key, Type type, Supplier<? extends Mono<T>> database) {
        return Mono.deferContextual(context -> {
            if (snapshots.profile() == Profile.MIRROR) {
                return this.<T>served(context, (from, asked) -> way.serve(from, name, key, type,
                        () -> asked.apply(Mono.defer(database))));
            }
            RequestSnapshot request = request(context);
            Mono<T> read = database.get();
            if (request == null || snapshots.profile() == Profile.OFF) {
                return read;
            }
            Object text = text(key);
            return read.doOnSuccess(value -> way.record(request, name, text, type, value))
                    .doOnError(Exception.class, error -> way.recordFailure(request, name, text, type, error));
        });
    }

    private <T> Flux<T> many(Way way, String name, Object key, Type type, Supplier<? extends Flux<T>> database) {
        return Flux.deferContextual(context -> {
            if (snapshots.profile() == Profile.MIRROR) {
                Type list = TypeFactory.defaultInstance().constructCollectionType(List.class,
                        TypeFactory.defaultInstance().constructType(type));
                return this.<List<T>>served(context, (from, asked) -> way.serve(from, name, key, list,
                        () -> asked.apply(Flux.defer(database).collectList()))).flatMapIterable(elements -> elements);
            }
            RequestSnapshot request = request(context);
            Flux<T> read = database.get();
            if (request == null || snapshots.profile() == Profile.OFF) {
                return read;
            }
            Object text = text(key);
            RecordedElements elements = new RecordedElements(codec, type, mostBytes,
                    list -> way.record(request, name, text, RecordedElements.LIST, list));
            return read.doOnNext(elements::add).doOnComplete(elements::record).doOnCancel(elements::record)
                    .doOnError(Exception.class, error -> way.recordFailure(request, name, text, RecordedElements.LIST, error));
        });
    }

    /** Goes on elsewhere than on the thread that waits for snapshots, which must not be kept. */
    private <T> Mono<T> served(ContextView context,
            BiFunction<SnapshotSource, Asked<T>, CompletionStage<T>> serving) {
        // Of the same kind as the subscriber's thread: who may block there may block behind it too.
        Scheduler elsewhere = Schedulers.isInNonBlockingThread() ? Schedulers.parallel() : Schedulers.boundedElastic();
        Asked<T> asked = read -> read.subscribeOn(elsewhere).contextWrite(context).toFuture();
        CompletableFuture<T> answer = serving.apply(source(context), asked).toCompletableFuture();
        return answer.isDone() ? Mono.fromFuture(answer) : Mono.fromFuture(answer, true).publishOn(elsewhere);
    }

    /** Does a read that the mirror was told to do after all. */
    private interface Asked<T> {
        CompletableFuture<T> apply(Mono<T> read);
    }

    private SnapshotSource source(ContextView context) {
        RequestSnapshot request = request(context);
        return request != null ? request : snapshots.source();
    }

    private static @Nullable RequestSnapshot request(ContextView context) {
        RequestSnapshot request = context.getOrDefault(RequestSnapshot.class, null);
        return request != null ? request : SnapshotContext.currentOrNull();
    }

    /** As it is now, before the read. What has no text is left for the recording to complain about. */
    private Object text(Object key) {
        try {
            return codec.key(key);
        } catch (IOException | RuntimeException | StackOverflowError none) {
            return key;
        }
    }
}
