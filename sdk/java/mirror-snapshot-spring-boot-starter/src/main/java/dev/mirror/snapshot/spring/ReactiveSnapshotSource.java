package dev.mirror.snapshot.spring;

import com.fasterxml.jackson.databind.type.TypeFactory;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.document.ValueCodec;
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
import reactor.util.context.Context;
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
     * value too. Of what is cancelled no value is recorded.
     *
     * @param key a text, a number, or anything that can be written as JSON
     * @param type what it gives
     */
    public <T> Mono<T> load(String name, Object key, Type type, Supplier<? extends Mono<T>> database) {
        return one(Call.read(name, key, type), database);
    }

    /** {@link #load(String, Object, Type, Supplier)} of a class. */
    public <T> Mono<T> load(String name, Object key, Class<T> type, Supplier<? extends Mono<T>> database) {
        return one(Call.read(name, key, type), database);
    }

    /**
     * Like {@link #load(String, Object, Type, Supplier)} of many elements, recorded as one list when they end or are
     * cancelled. Where production's fail after some elements, the mirror's fail without them.
     *
     * @param type what each of them is
     */
    public <T> Flux<T> loadMany(String name, Object key, Type type, Supplier<? extends Flux<T>> database) {
        return many(Call.read(name, key, type), database);
    }

    /** {@link #loadMany(String, Object, Type, Supplier)} of a class. */
    public <T> Flux<T> loadMany(String name, Object key, Class<T> type, Supplier<? extends Flux<T>> database) {
        return many(Call.read(name, key, type), database);
    }

    /**
     * What {@code database} writes and gives: done in production; never in the mirror, which answers with what it gave there,
     * or refuses.
     */
    public <T> Mono<T> write(String name, Object key, Type type, Supplier<? extends Mono<T>> database) {
        return write(name, key, null, type, database);
    }

    /** {@link #write(String, Object, Type, Supplier)} of a class. */
    public <T> Mono<T> write(String name, Object key, Class<T> type, Supplier<? extends Mono<T>> database) {
        return write(name, key, null, (Type) type, database);
    }

    /**
     * {@link #write(String, Object, Type, Supplier)} that says what is written. The agent compares it: a mirror that answers right
     * but would have written something else is found.
     *
     * @param written anything that can be written as JSON, as it is at the subscription; null for nothing. What makes the key is
     *     better left out of it
     */
    public <T> Mono<T> write(String name, Object key, @Nullable Object written, Type type, Supplier<? extends Mono<T>> database) {
        return one(new Call(true, name, key, written, type), database);
    }

    /** {@link #write(String, Object, Object, Type, Supplier)} of a class. */
    public <T> Mono<T> write(String name, Object key, @Nullable Object written, Class<T> type, Supplier<? extends Mono<T>> database) {
        return write(name, key, written, (Type) type, database);
    }

    /** {@link #write(String, Object, Type, Supplier)} that gives many elements. */
    public <T> Flux<T> writeMany(String name, Object key, Type type, Supplier<? extends Flux<T>> database) {
        return writeMany(name, key, null, type, database);
    }

    /** {@link #write(String, Object, Object, Type, Supplier)} that gives many elements. */
    public <T> Flux<T> writeMany(String name, Object key, @Nullable Object written, Type type, Supplier<? extends Flux<T>> database) {
        return many(new Call(true, name, key, written, type), database);
    }

    /**
     * A read or a write that a service asks for.
     *
     * @param written what a write is to write, or null
     */
    private record Call(boolean isWrite, String name, Object key, @Nullable Object written, Type type) {
        static Call read(String name, Object key, Type type) {
            return new Call(false, name, key, null, type);
        }

        Call of(Type other) {
            return new Call(isWrite, name, key, written, other);
        }

        <T> CompletionStage<T> serve(SnapshotSource from, Supplier<CompletionStage<T>> database) {
            return isWrite ? from.writeAsync(name, key, written, type, database) : from.loadAsync(name, key, type, database);
        }

        /** Begins to record it; the result is told to what this gives. */
        CompletableFuture<Object> record(SnapshotSource in) {
            CompletableFuture<Object> result = new CompletableFuture<>();
            serve(in, () -> result);
            return result;
        }
    }

    private <T> Mono<T> one(Call call, Supplier<? extends Mono<T>> database) {
        return Mono.deferContextual(context -> {
            if (snapshots.profile() == Profile.MIRROR) {
                return this.<T>served(context, (from, asked) -> call.serve(from, () -> asked.apply(Mono.defer(database))));
            }
            RequestSnapshot request = request(context);
            if (request == null || snapshots.profile() == Profile.OFF) {
                return database.get();
            }
            CompletableFuture<Object> result = call.record(request);
            return inside(request, database).doOnSuccess(result::complete).doOnError(Exception.class, result::completeExceptionally)
                    .contextWrite(inside -> inside.put(RequestSnapshot.class, request.inside()));
        });
    }

    private <T> Flux<T> many(Call call, Supplier<? extends Flux<T>> database) {
        return Flux.deferContextual(context -> {
            if (snapshots.profile() == Profile.MIRROR) {
                Type list = TypeFactory.defaultInstance().constructCollectionType(List.class,
                        TypeFactory.defaultInstance().constructType(call.type));
                return this.<List<T>>served(context, (from, asked) -> call.of(list).serve(from,
                        () -> asked.apply(Flux.defer(database).collectList()))).flatMapIterable(elements -> elements);
            }
            RequestSnapshot request = request(context);
            if (request == null || snapshots.profile() == Profile.OFF) {
                return database.get();
            }
            CompletableFuture<Object> result = call.of(RecordedElements.LIST).record(request);
            RecordedElements elements = new RecordedElements(codec, call.type, mostBytes, result::complete);
            return inside(request, database).doOnNext(elements::add).doOnComplete(elements::record).doOnCancel(elements::record)
                    .doOnError(Exception.class, result::completeExceptionally)
                    .contextWrite(inside -> inside.put(RequestSnapshot.class, request.inside()));
        });
    }

    /** What it asks for when it is made is a part of what is recorded. */
    private static <P> P inside(RequestSnapshot request, Supplier<? extends P> database) {
        try (SnapshotContext.Scope doing = SnapshotContext.enter(request.inside())) {
            return database.get();
        }
    }

    /** Goes on elsewhere than on the thread that waits for snapshots, which must not be kept. */
    private <T> Mono<T> served(ContextView context,
            BiFunction<SnapshotSource, Asked<T>, CompletionStage<T>> serving) {
        // Of the same kind as the subscriber's thread: who may block there may block behind it too.
        Scheduler elsewhere = Schedulers.isInNonBlockingThread() ? Schedulers.parallel() : Schedulers.boundedElastic();
        RequestSnapshot request = request(context);
        Context inside = request == null ? Context.of(context) : Context.of(context).put(RequestSnapshot.class, request.inside());
        Asked<T> asked = read -> read.subscribeOn(elsewhere).contextWrite(inside).toFuture();
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
}
