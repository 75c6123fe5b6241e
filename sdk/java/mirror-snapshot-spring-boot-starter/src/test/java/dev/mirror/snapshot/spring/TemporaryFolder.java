package dev.mirror.snapshot.spring;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.springframework.util.FileSystemUtils;

/** A folder that is gone with all that is in it when it is closed, and when the tests end at the latest. */
final class TemporaryFolder implements AutoCloseable {
    private static final Set<TemporaryFolder> OPEN = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> OPEN.forEach(TemporaryFolder::close)));
    }

    private final Path path;
    /** Ends who writes there. */
    private volatile Runnable first = () -> {};

    private TemporaryFolder(Path path) {
        this.path = path;
    }

    static TemporaryFolder of(String name) {
        try {
            TemporaryFolder folder = new TemporaryFolder(Files.createTempDirectory(name));
            OPEN.add(folder);
            return folder;
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }

    Path path() {
        return path;
    }

    /** Done before the folder is deleted. */
    void first(Runnable first) {
        this.first = first;
    }

    @Override
    public void close() {
        first.run();
        try {
            FileSystemUtils.deleteRecursively(path);
            OPEN.remove(this);
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }
}
