package dev.mirror.snapshot.guard;

import java.lang.reflect.Array;
import java.sql.Statement;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/** Which statements of a batch the driver has got, and which are only noted. */
final class GuardedBatch {
    private BitSet noted = new BitSet();
    private int size;

    void added(boolean toDriver) {
        noted.set(size++, !toDriver);
    }

    void clear() {
        noted = new BitSet();
        size = 0;
    }

    /** The batch as it is now; the next one begins. */
    Order order() {
        Order order = new Order(noted, size);
        clear();
        return order;
    }

    /** A batch that is executed. */
    record Order(BitSet noted, int size) {
        /** The driver has nothing to do. An empty batch is its. */
        boolean recordsAll() {
            return size > 0 && noted.cardinality() == size;
        }

        /**
         * The update counts of all, with 1 for each that is only noted.
         *
         * @param fromDriver its update counts; null where it had nothing to do
         * @param type {@code int[]} or {@code long[]}
         */
        @Nullable Object counts(@Nullable Object fromDriver, Class<?> type) {
            if (noted.isEmpty()) {
                return fromDriver;
            }
            int got = fromDriver == null ? 0 : Array.getLength(fromDriver);
            int next = 0;
            Object counts = Array.newInstance(type.getComponentType(), size);
            for (int i = 0; i < size; i++) {
                if (noted.get(i)) {
                    Array.setInt(counts, i, 1);
                } else if (fromDriver != null && next < got) {
                    Array.set(counts, i, Array.get(fromDriver, next++));
                } else {
                    Array.setInt(counts, i, Statement.SUCCESS_NO_INFO);
                }
            }
            return counts;
        }
    }
}
