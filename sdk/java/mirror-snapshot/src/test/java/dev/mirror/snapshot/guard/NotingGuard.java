package dev.mirror.snapshot.guard;

import java.util.ArrayList;
import java.util.List;

/** Says always the same, and notes what it was asked. */
final class NotingGuard implements WriteGuard {
    final List<String> asked = new ArrayList<>();
    private final Verdict verdict;

    NotingGuard(Verdict verdict) {
        this.verdict = verdict;
    }

    @Override
    public Verdict judge(String kind, String what) {
        asked.add(kind + ": " + what);
        return verdict;
    }

    @Override
    public boolean mayAllow(String kind) {
        return verdict == Verdict.ALLOW;
    }
}
