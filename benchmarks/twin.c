/* The slot loop of planner/simulation/ once more, in C and in sampled mode only: a yardstick for compiled Python.

   Same steps, same order of the sums, same luck, so that both give the same counts; twin.py compares them, and where
   they differ the mistake is here. Names are the kernel's, and what its docstrings say is not said again. */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    INJECTED, ATTEMPTS, DELIVERED, HARD_BOUNCED, BLOCKED, EXPIRED, QUEUED, FIRST_4XX, FIRST_TROUBLE, OVERFLOWN,
    REPUTATION, ALLOWANCE, ESTABLISHED, DELAYED, DELAY_SECONDS, RESTED_SECONDS, DEFERRED
};
enum { LIMIT, PENALTY, GREYLISTING, SYSTEM, STUCK, DOUBT, N_CAUSES = 7 };
enum { N_ROWS = DEFERRED + N_CAUSES, N_DELAY_BINS = 96 };
enum {
    W_ESTABLISHED, W_COLD, W_JUMP, W_FADES_AT, W_IDLE_DECAY, W_HOURLY_SHARE, W_REJECTION_COST, W_PENALTY_CHANCE,
    W_PENALTY_SLOTS, W_EXCESS_REJECTED, W_GREYLISTING_PROBABILITY, W_GREYLISTING_DELAY_SECONDS, W_GREYLISTING_FADE,
    W_BASE_DEFERRAL, W_STUCK_SHARE, W_TROUBLE_DEFERRAL, W_TROUBLE_STARTS, W_TROUBLE_ENDS, W_REPUTATION_RECOVERY,
    W_REPUTATION_SENSITIVITY, W_COMPLAINT_LIMIT, W_HARD_BOUNCE_LIMIT, W_EXCESS_LIMIT, W_BLOCK_BELOW, W_AUTH,
    W_AUTH_REFUSED, N_WORLD
};
enum { SKIP, SPREAD, HOLD };
enum { HOPEFUL, HOPELESS, N_FATES };
enum { P_TROUBLE, P_HOPELESS, P_BAD, P_SPLIT, P_PENALTY, P_AUTH, P_GREY, P_REJECT, P_SHARE, P_WAIT, P_ONE, P_NOISE };

#define NEGLIGIBLE 1e-9
#define HALF (0.5 + 1e-9)
#define PENALTY_FROM 0.02
#define MOST_PARTS 4
#define FEW 8
#define RISE 0.35
#define KEEP (6.0 / 7.0)
#define PSEUDO_MESSAGES 2000.0
#define HEADROOM_FLOOR 0.2
#define MIX1 0xBF58476D1CE4E5B9u
#define MIX2 0x94D049BB133111EBu
#define GOLDEN 0x9E3779B97F4A7C15u

/* What of layout.Inputs the loop needs, by type; twin.py fills it in this order. */
typedef struct {
    int64_t n_scenarios, n_providers, n_days, n_slots, n_segments, n_firsts, n_attempts, n_waits, width, n_reaction;
    int64_t n_seen;
    int64_t transactional, overflow, ring_slots, round_slots, n_rounds;
    double slot_seconds;
    const uint64_t *keys;
    const double *world, *volume, *demand, *ceiling, *mix, *complaint_rate, *hard_bounce_rate, *pace, *target;
    const double *stage_volume, *reaction, *wait_share, *wait_seconds, *wait_rounds, *nominal, *early;
    const double *seen, *seen_complaint_rate;
    const int64_t *opens, *stage_day, *n_stages, *first_stage, *attempts, *class_of_cause, *wait_first, *wait_n, *pause_slots;
} Inputs;

/* One provider's share of the tables of waits, and one scenario's chances to be too early */
typedef struct {
    int64_t n_firsts, n_classes, width;
    const int64_t *attempts, *class_of_cause, *first, *n;
    const double *share, *seconds, *rounds, *nominal, *early;
    int64_t pause_slots, round_slots;
    double slot_seconds;
} Retries;

/* Messages, and over them the sums of age when due, age at the first attempt, bad addresses: half a cache line, so
   that a cell costs one look into a queue that is larger than the cache */
typedef struct {
    double count, age, start, bad;
} Mail;

typedef struct {
    int64_t length, n_cells;
    Mail *mail;        /* [length][n_cells] */
    int32_t *cells;    /* [length][n_cells] the occupied cells, the first occupied[at] of them */
    int64_t *occupied; /* [length] */
} Queue;

typedef struct {
    int64_t n, n_cells;
    double *count; /* [n][n_cells] */
    double *total; /* [n] */
} Rounds;

/* Mail attempted now, an entry for each cell that was due; the last three arrays say what a cell's number means */
typedef struct {
    int64_t n;
    int64_t *cell;
    double *left, *age, *start, *bad, *part, *deferred, *again;
    double first_deferred[N_FATES][N_CAUSES];
    int64_t *attempt, *group, *luck;
} Due;

typedef struct {
    double tolerated, doubt, greylisting, volume, bad_share;
    bool blocks, holds;
} Today;

/* What a provider's limiter carries over midnight */
typedef struct {
    double bucket, closed_until;
    int64_t rest_until, oldest;
    bool trouble;
} Limiter;

/* The reaction's state */
typedef struct {
    double pointer, step, good_pointer, resting;
    bool any_good;
} Mind;

/* --- luck */

static inline uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * MIX1;
    x = (x ^ (x >> 27)) * MIX2;
    return x ^ (x >> 31);
}

static inline double uniform(uint64_t key, int64_t purpose)
{
    return (double)(mixed(key + (uint64_t)(purpose + 1) * GOLDEN) >> 11) * 0x1p-53;
}

/* not fmin and fmax: what these do about NaN costs instructions */
static inline double least(double a, double b)
{
    return b < a ? b : a;
}

static inline double most(double a, double b)
{
    return b > a ? b : a;
}

static double normal_quantile(double u)
{
    double q = u - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        double top = ((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179;
        return q * top / (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1.0);
    }
    double r = sqrt(-log(most(least(u, 1.0 - u), 1e-300))), value;
    if (r <= 5.0) {
        r -= 1.6;
        value = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777;
        value /= (0.12021132975 * r + 0.73700164250) * r + 1.0;
    } else {
        r -= 5.0;
        value = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150;
        value /= (0.012258202635 * r + 0.24197894225) * r + 1.0;
    }
    return q < 0.0 ? -value : value;
}

static double binomial_lower(double n, double p, double u)
{
    double mean = n * p;
    if (u < 1.0 - mean)
        return 0.0;
    if (mean < 15.0) {
        double odds = p / (1.0 - p), share = exp(n * log1p(-p)), below = share, count = 0.0;
        while (u >= below && count < n) {
            share *= odds * (n - count) / (count + 1.0);
            count += 1.0;
            below += share;
            if (share < 1e-18 && count > mean)
                break;
        }
        return count;
    }
    double deviation = sqrt(mean * (1.0 - p)), z = normal_quantile(u), skew = (1.0 - 2.0 * p) / 6.0;
    double fourth = (z * z - 3.0) * (1.0 - 6.0 * p * (1.0 - p)) / 24.0;
    double third = z * (fourth - (2.0 * z * z - 5.0) * skew * skew);
    double count = floor(mean + deviation * z + (z * z - 1.0) * skew + third / deviation + 0.5);
    return least(n, most(0.0, count));
}

static inline double part(double n, double p, uint64_t key, int64_t purpose)
{
    if (n <= 0.0 || p <= 0.0)
        return 0.0;
    if (p >= 1.0)
        return n;
    double u = uniform(key, purpose);
    return p > 0.5 ? n - binomial_lower(n, 1.0 - p, 1.0 - u) : binomial_lower(n, p, u);
}

/* --- the queue */

static inline void put(Queue *q, int64_t at, int64_t cell, double n, double age, double start, double bad)
{
    Mail *mail = q->mail + at * q->n_cells + cell;
    if (mail->count <= 0.0)
        q->cells[at * q->n_cells + q->occupied[at]++] = (int32_t)cell;
    mail->count += n;
    mail->age += n * age;
    mail->start += n * start;
    mail->bad += n * bad;
}

/* Empty a slot into `due`; returns how many messages. */
static inline double take(Queue *q, int64_t at, Due *due)
{
    const int32_t *cells = q->cells + at * q->n_cells;
    double total = 0.0;
    due->n = q->occupied[at];
    for (int64_t j = 0; j < due->n; j++) {
        Mail *mail = q->mail + at * q->n_cells + cells[j];
        double n = mail->count;
        due->cell[j] = cells[j];
        due->left[j] = n;
        due->age[j] = mail->age / n;
        due->start[j] = mail->start / n;
        due->bad[j] = mail->bad / n;
        total += n;
        *mail = (Mail){0};
    }
    q->occupied[at] = 0;
    return total;
}

static void postpone(Queue *q, int64_t at, int64_t later, double waited)
{
    const int32_t *cells = q->cells + at * q->n_cells;
    for (int64_t j = 0; j < q->occupied[at]; j++) {
        Mail *mail = q->mail + at * q->n_cells + cells[j];
        double n = mail->count;
        put(q, later, cells[j], n, mail->age / n + waited, mail->start / n, mail->bad / n);
        *mail = (Mail){0};
    }
    q->occupied[at] = 0;
}

static void clear(Queue *q, Rounds *rounds)
{
    for (int64_t at = 0; at < q->length; at++) {
        for (int64_t j = 0; j < q->occupied[at]; j++)
            q->mail[at * q->n_cells + q->cells[at * q->n_cells + j]] = (Mail){0};
        q->occupied[at] = 0;
    }
    memset(rounds->total, 0, (size_t)rounds->n * sizeof *rounds->total);
    memset(rounds->count, 0, (size_t)(rounds->n * rounds->n_cells) * sizeof *rounds->count);
}

/* A whole cell moves to one round: which of the two around `round`, its luck says. */
static inline void join_round(Rounds *rounds, double round, int64_t cell, double n, double u)
{
    int64_t later = (int64_t)round;
    if (u < round - (double)later)
        later++;
    later %= rounds->n;
    rounds->count[later * rounds->n_cells + cell] += n;
    rounds->total[later] += n;
}

/* Take `amount` of the `among` messages left out of every cell in proportion; `due->part` is what each gave. */
static inline void share_out(Due *due, double amount, double among, double u)
{
    double seen = 0.0, before = 0.0, share = amount / among;
    for (int64_t j = 0; j < due->n; j++) {
        double n = due->left[j];
        due->part[j] = 0.0;
        if (n <= 0.0)
            continue;
        seen += n;
        double upto = seen >= among ? amount : floor(seen * share + u);
        double given = least(n, upto - before);
        before = upto;
        due->part[j] = given;
        due->left[j] = n - given > NEGLIGIBLE ? n - given : 0.0;
    }
}

/* --- one day */

/* How long n messages were held back on average; `oldest` moves on to the oldest day that still waits. */
static double held_days(double *held, int64_t *oldest, int64_t d, double n)
{
    double days = 0.0, left = n;
    int64_t i = *oldest;
    while (left > 0.0 && i <= d) {
        double sent = least(left, held[i]);
        days += sent * (double)(d - i);
        held[i] -= sent;
        left -= sent;
        if (held[i] <= 1e-9)
            i++;
    }
    *oldest = i < d ? i : d;
    return days / n;
}

static void block(const Due *due, double undecided, double *day)
{
    day[BLOCKED] += undecided;
    for (int64_t j = 0; j < due->n; j++)
        if (due->cell[j] < N_FATES)
            day[FIRST_TROUBLE] += due->left[j];
}

static void turn_away(Due *due, double undecided, double *day)
{
    day[DEFERRED + PENALTY] += undecided;
    for (int64_t j = 0; j < due->n; j++) {
        int64_t cell = due->cell[j];
        double n = due->left[j];
        due->deferred[j] = n;
        due->again[j] = n;
        due->left[j] = 0.0;
        if (cell < N_FATES) {
            due->first_deferred[cell][PENALTY] = n;
            day[FIRST_TROUBLE] += n;
        }
    }
}

static double still_grey(const Due *due, int64_t j, double grey_delay, const Retries *r, int64_t n_attempts)
{
    int64_t k = due->attempt[due->cell[j]];
    double chance = r->early[k];
    if (r->pause_slots == 0)
        return chance;
    double nominal = r->nominal[r->class_of_cause[GREYLISTING] * n_attempts + k];
    double extra = due->age[j] - due->start[j] - nominal;
    double rested = least(1.0, most(0.0, extra) / r->slot_seconds);
    double ahead = grey_delay - nominal - most(r->slot_seconds, extra);
    double spread = least(1.0, most(-1.0, ahead / r->slot_seconds));
    double late = spread < 0.0 ? 0.5 * ((1.0 + spread) * (1.0 + spread)) : 1.0 - 0.5 * ((1.0 - spread) * (1.0 - spread));
    return (1.0 - rested) * chance + rested * late;
}

/* Refuse and defer all that never meets the limiter; returns how many messages do. */
static inline double defer(Due *due, double undecided, const Today *today, const double *w, double system,
                           const Retries *r, int64_t n_attempts, uint64_t key, double *day)
{
    for (int64_t j = 0; j < due->n; j++)
        due->deferred[j] = 0.0;
    double refused = part(undecided, w[W_AUTH_REFUSED], key, P_AUTH);
    if (refused > 0.0) {
        share_out(due, refused, undecided, uniform(key, P_SHARE));
        day[BLOCKED] += refused;
        undecided -= refused;
    }
    for (int cause = SYSTEM; cause <= DOUBT; cause += DOUBT - SYSTEM) {
        double n = part(undecided, cause == SYSTEM ? system : today->doubt, key, P_NOISE + cause);
        if (n <= 0.0)
            continue;
        share_out(due, n, undecided, uniform(key, P_SHARE + 16 * cause));
        day[DEFERRED + cause] += n;
        undecided -= n;
        for (int64_t j = 0; j < due->n; j++) {
            due->deferred[j] += due->part[j];
            if (due->cell[j] < N_FATES)
                due->first_deferred[due->cell[j]][cause] += due->part[j];
        }
    }
    for (int64_t j = 0; j < due->n; j++) {
        due->again[j] = due->deferred[j];
        if (due->left[j] <= 0.0)
            continue;
        int64_t cell = due->cell[j];
        double chance = 0.0;
        if (cell < N_FATES)
            chance = today->greylisting;
        else if (due->group[cell] == r->n_firsts)
            chance = still_grey(due, j, w[W_GREYLISTING_DELAY_SECONDS], r, n_attempts);
        if (chance > 0.0) {
            double n = part(due->left[j], chance, key, P_GREY + 16 * due->luck[cell]);
            day[DEFERRED + GREYLISTING] += n;
            due->deferred[j] += n;
            due->again[j] += n;
            due->left[j] -= n;
            undecided -= n;
            if (cell < N_FATES)
                due->first_deferred[cell][GREYLISTING] += n;
        }
        if (cell % N_FATES == HOPELESS) {
            double n = due->left[j];
            day[DEFERRED + STUCK] += n;
            due->deferred[j] += n;
            due->left[j] = 0.0;
            undecided -= n;
            if (cell < N_FATES)
                due->first_deferred[cell][STUCK] += n;
        }
    }
    return undecided;
}

static inline int64_t delay_bin(double seconds)
{
    if (seconds <= 30.0)
        return 0;
    int64_t bin = (int64_t)(log2(seconds / 30.0) * 6.0) + 1;
    return bin < N_DELAY_BINS - 1 ? bin : N_DELAY_BINS - 1;
}

static inline void accept_mail(Due *due, double passing, double undecided, uint64_t key, double *day, double *delays)
{
    if (passing < undecided) {
        share_out(due, passing, undecided, uniform(key, P_SPLIT));
    } else {
        memcpy(due->part, due->left, (size_t)due->n * sizeof *due->part);
        memset(due->left, 0, (size_t)due->n * sizeof *due->left);
    }
    double expected = 0.0;
    for (int64_t j = 0; j < due->n; j++)
        expected += due->part[j] * due->bad[j];
    double bounced = expected > 0.0 ? part(passing, expected / passing, key, P_BAD) : 0.0;
    double u = bounced > 0.0 ? uniform(key, P_SHARE + 16 * P_BAD) : 0.0;
    double seen = 0.0, before = 0.0;
    for (int64_t j = 0; j < due->n; j++) {
        double n = due->part[j];
        if (n <= 0.0)
            continue;
        if (bounced > 0.0) {
            seen += n * due->bad[j];
            double upto = seen < expected * (1.0 - 1e-12) ? floor(bounced * (seen / expected) + u) : bounced;
            double gone = least(n, upto - before);
            before += gone;
            day[HARD_BOUNCED] += gone;
            n -= gone;
        }
        day[DELIVERED] += n;
        if (due->cell[j] >= N_FATES) {
            day[DELAYED] += n;
            day[DELAY_SECONDS] += n * due->age[j];
            delays[delay_bin(due->age[j])] += n;
        } else {
            day[RESTED_SECONDS] += n * (due->age[j] - due->start[j]);
        }
    }
}

/* Defer what is above the limit, but for the part that is answered 5xx; returns that part. */
static double refuse(Due *due, double over, double rejected_share, uint64_t key, double *day)
{
    for (int64_t j = 0; j < due->n; j++)
        if (due->cell[j] < N_FATES)
            day[FIRST_TROUBLE] += due->left[j];
    double rejected = part(over, rejected_share, key, P_REJECT);
    if (rejected > 0.0) {
        share_out(due, rejected, over, uniform(key, P_SHARE + 16 * P_REJECT));
        day[BLOCKED] += rejected;
    }
    day[DEFERRED + LIMIT] += over - rejected;
    for (int64_t j = 0; j < due->n; j++) {
        due->deferred[j] += due->left[j];
        if (due->cell[j] < N_FATES)
            due->first_deferred[due->cell[j]][LIMIT] += due->left[j];
    }
    return rejected;
}

static inline int64_t slot_of(const double *shares, int64_t width, double quantile, int64_t o)
{
    while (o < width - 1 && shares[o] <= quantile)
        o++;
    return o;
}

/* Draw when n messages are due, and put them there. */
static inline void wait_for(Queue *q, int64_t at, int64_t to, double n, int64_t row, const Retries *r, double age,
                            double start, double bad, uint64_t key, int64_t lucky, int64_t way)
{
    const int64_t n_due = r->n[row];
    const double *share = r->share + row * r->width, *seconds = r->seconds + row * r->width;
    const bool one_by_one = r->pause_slots > 0 && n <= FEW && n_due > 1, by_slot = n_due <= MOST_PARTS && !one_by_one;
    int64_t n_parts = n_due, o = 0;
    double u = 0.0, v = 0.0, before = 0.0;
    if (n_due > 1) {
        u = uniform(key, P_WAIT + 16 * (lucky + way));
        if (by_slot) {
            v = u;
        } else {
            n_parts = one_by_one ? (int64_t)n : (int64_t)least(n, MOST_PARTS);
            v = n_parts > 1 ? uniform(key, P_WAIT + 16 * (lucky + 6)) : 0.0;
        }
    }
    for (int64_t number = 0; number < n_parts; number++) {
        double upto;
        if (by_slot) {
            o = number;
            upto = share[o];
        } else {
            upto = (double)(number + 1) / (double)n_parts;
            if (one_by_one)
                o = slot_of(share, r->width, uniform(key, P_ONE + 16 * (lucky * 16 + way * 8 + number)), 0);
            else
                o = slot_of(share, r->width, ((double)number + u) / (double)n_parts, o);
        }
        upto = number == n_parts - 1 ? n : floor(n * upto + v);
        if (upto > before) {
            int64_t later = at + r->first[row] + o; /* no wait is longer than the ring */
            if (later >= q->length)
                later -= q->length;
            put(q, later, to, upto - before, age + seconds[o], start, bad);
            before = upto;
        }
    }
}

/* Put what was deferred where its next attempt is due; it expires if that would come too late. */
static inline void retry_later(Due *due, int64_t now, int64_t at, Queue *q, Rounds *rounds, const Retries *r,
                               uint64_t key, double *day)
{
    const int64_t n_firsts = r->n_firsts, grey_class = r->class_of_cause[GREYLISTING];
    for (int64_t j = 0; j < due->n; j++) {
        const double total = due->deferred[j];
        if (total <= 0.0)
            continue;
        const int64_t cell = due->cell[j], k = due->attempt[cell], group = due->group[cell];
        const int64_t lucky = due->luck[cell] * 8;
        if (k == 0)
            day[FIRST_4XX] += total;
        /* after a first attempt the cause decides wait and class; later only greylisted mail has two ways */
        const int64_t n_ways = k == 0 ? DOUBT + 1 : group < n_firsts ? 1 : 2;
        for (int64_t way = 0; way < n_ways; way++) {
            int64_t row = N_CAUSES - 1 + k, to_group = group;
            double n = total;
            if (k == 0) {
                row = way;
                n = due->first_deferred[cell][way];
                to_group = way == GREYLISTING ? n_firsts : r->class_of_cause[way];
            } else if (group == n_firsts && way == 0) {
                n = due->again[j];
            } else if (group == n_firsts) {
                n = total - due->again[j];
                to_group = grey_class;
            }
            if (n <= 0.0)
                continue;
            if (k + 1 >= r->attempts[to_group == n_firsts ? grey_class : to_group]) {
                day[EXPIRED] += n;
            } else if (cell % N_FATES == HOPELESS && to_group < n_firsts && r->rounds[row] >= 1.0) {
                double round = (double)(now - r->round_slots / 2) / (double)r->round_slots + r->rounds[row];
                double u = uniform(key, P_WAIT + 16 * (lucky + way));
                join_round(rounds, round, (k + 1) * n_firsts + to_group, n, u);
            } else {
                int64_t to = (k + 1) * r->n_classes + to_group * N_FATES + cell % N_FATES;
                double start = k == 0 ? due->age[j] : due->start[j];
                wait_for(q, at, to, n, row, r, due->age[j], start, due->bad[j], key, lucky, way);
            }
        }
    }
}

/* Try the hopeless mail of one round again: all of it fails, and waits for a later round or expires. */
static void run_round(Rounds *rounds, int64_t at, const Today *today, bool closed, double refused_share, double system,
                      const Retries *r, uint64_t key, double *day)
{
    const int64_t n_firsts = r->n_firsts;
    double *count = rounds->count + at * rounds->n_cells, undecided = rounds->total[at];
    day[ATTEMPTS] += undecided;
    if (today->blocks) {
        day[BLOCKED] += undecided;
    } else if (closed) {
        day[DEFERRED + PENALTY] += undecided;
    } else {
        if (refused_share > 0.0)
            for (int64_t cell = n_firsts; cell < rounds->n_cells; cell++) {
                int64_t lucky = cell / n_firsts * 64 + cell % n_firsts;
                double refused = part(count[cell], refused_share, key, P_AUTH + 16 * lucky);
                count[cell] -= refused;
                day[BLOCKED] += refused;
                undecided -= refused;
            }
        for (int cause = SYSTEM; cause <= DOUBT; cause += DOUBT - SYSTEM) {
            double n = part(undecided, cause == SYSTEM ? system : today->doubt, key, P_NOISE + cause);
            day[DEFERRED + cause] += n;
            undecided -= n;
        }
        day[DEFERRED + STUCK] += undecided;
    }
    rounds->total[at] = 0.0;
    for (int64_t cell = n_firsts; cell < rounds->n_cells; cell++) {
        double n = count[cell];
        count[cell] = 0.0;
        if (n <= 0.0 || today->blocks)
            continue;
        int64_t k = cell / n_firsts, group = cell % n_firsts;
        if (k + 1 >= r->attempts[group]) {
            day[EXPIRED] += n;
        } else {
            double u = uniform(key, P_WAIT + 16 * (k * 64 + group));
            join_round(rounds, (double)at + r->rounds[N_CAUSES - 1 + k], cell + n_firsts, n, u);
        }
    }
}

/* Move a round's mail to the queue, which finds the first slot after the rest. */
static void leave_round(Rounds *rounds, int64_t at_round, Queue *q, int64_t at, const Retries *r)
{
    double *count = rounds->count + at_round * rounds->n_cells;
    for (int64_t cell = r->n_firsts; cell < rounds->n_cells; cell++) {
        double n = count[cell];
        count[cell] = 0.0;
        if (n > 0.0)
            put(q, at, cell / r->n_firsts * r->n_classes + cell % r->n_firsts * N_FATES + HOPELESS, n, 0.0, 0.0, 0.0);
    }
    rounds->total[at_round] = 0.0;
}

static void run_day(const Inputs *in, int64_t d, const double *w, const Today *today, const Retries *r, uint64_t luck,
                    const double *pace, Limiter *limiter, double *held, Queue *q, Rounds *rounds, Due *due, double *day,
                    double *delays)
{
    const double tolerated = today->tolerated, rejection_cost = w[W_REJECTION_COST];
    const double size = most(1.0, w[W_HOURLY_SHARE] * tolerated);
    const double refill = w[W_HOURLY_SHARE] * tolerated * r->slot_seconds / 3600.0;
    double bucket = limiter->bucket < 0.0 ? size : least(limiter->bucket, size);
    double closed_until = limiter->closed_until;
    int64_t rest_until = limiter->rest_until;
    bool trouble = limiter->trouble;
    double used = 0.0, refusals = 0.0, injected = 0.0;
    const uint64_t day_key = mixed(luck + (uint64_t)(d + 1) * MIX1);
    bool penalty_waits = uniform(day_key, P_PENALTY) < w[W_PENALTY_CHANCE];

    for (int64_t i = 0; i < in->n_slots; i++) {
        const int64_t now = d * in->n_slots + i, at = now % q->length;
        const uint64_t slot_key = mixed(day_key + (uint64_t)(i + 1) * MIX2);
        const double flip = uniform(slot_key, P_TROUBLE);
        trouble = trouble ? flip >= w[W_TROUBLE_ENDS] : flip < w[W_TROUBLE_STARTS];
        const double system = trouble ? w[W_TROUBLE_DEFERRAL] : w[W_BASE_DEFERRAL];
        const bool closed = (double)now < closed_until;
        bool hurt = false;
        bucket = least(size, bucket + refill);

        const double upto = floor(today->volume * pace[i] + HALF), new = upto - injected;
        injected = upto;
        if (new > 0.0) {
            double age = today->holds ? 86400.0 * held_days(held, &limiter->oldest, d, new) : 0.0;
            double hopeless = part(new, w[W_STUCK_SHARE], slot_key, P_HOPELESS);
            if (new > hopeless)
                put(q, at, HOPEFUL, new - hopeless, age, age, today->bad_share);
            if (hopeless > 0.0)
                put(q, at, HOPELESS, hopeless, age, age, today->bad_share);
        }

        const int64_t at_round = now / r->round_slots % rounds->n;
        if (now % r->round_slots == r->round_slots / 2 && rounds->total[at_round] > 0.0) {
            if (now < rest_until) {
                leave_round(rounds, at_round, q, at, r);
            } else {
                hurt = closed && !today->blocks;
                run_round(rounds, at_round, today, closed, w[W_AUTH_REFUSED], system, r, mixed(slot_key), day);
            }
        }

        if (q->occupied[at] > 0 && now < rest_until)
            postpone(q, at, rest_until % q->length, (double)(rest_until - now) * r->slot_seconds);
        /* mail whose wait ends within the slot is due again */
        for (uint64_t passes = 1; q->occupied[at] > 0; passes++) {
            const uint64_t key = mixed(slot_key + passes * GOLDEN);
            double undecided = take(q, at, due);
            day[ATTEMPTS] += undecided;
            memset(due->first_deferred, 0, sizeof due->first_deferred);
            if (today->blocks) {
                block(due, undecided, day);
                continue;
            }
            if (closed) {
                hurt = true;
                turn_away(due, undecided, day);
            } else {
                undecided = defer(due, undecided, today, w, system, r, in->n_attempts, key, day);
                if (undecided > NEGLIGIBLE) {
                    double room = floor(most(0.0, least(bucket, tolerated - used)) + 1e-9);
                    double passing = least(undecided, room), over = undecided - passing;
                    accept_mail(due, passing, undecided, key, day, delays);
                    bucket = most(0.0, bucket - passing - rejection_cost * over);
                    used = least(tolerated, used + passing + rejection_cost * over);
                    if (over > 0.0) {
                        refusals += over;
                        hurt |= refuse(due, over, w[W_EXCESS_REJECTED], key, day) < over;
                    }
                }
            }
            retry_later(due, now, at, q, rounds, r, key, day);
        }

        if (penalty_waits && refusals > PENALTY_FROM * tolerated) {
            penalty_waits = false;
            closed_until = (double)(now + 1) + w[W_PENALTY_SLOTS];
        }
        if (hurt && r->pause_slots > 0)
            rest_until = now + 1 + r->pause_slots;
    }
    limiter->bucket = bucket;
    limiter->closed_until = closed_until;
    limiter->rest_until = rest_until;
    limiter->trouble = trouble;
}

/* --- the days */

/* Volume at a real-valued pointer: geometric between two stages, halved below the first. */
static double stage(const double *stages, int64_t n_stages, double pointer)
{
    if (pointer < 0.0)
        return most(1.0, stages[0] / pow(2.0, -pointer));
    int64_t low = (int64_t)pointer;
    if (low >= n_stages - 1)
        return stages[n_stages - 1];
    double x = pointer - (double)low;
    return x == 0.0 ? stages[low] : pow(stages[low], 1.0 - x) * pow(stages[low + 1], x);
}

static double todays_volume(const Inputs *in, int64_t p, int64_t d, Mind *mind, double *backlog, double *day)
{
    const int64_t today = p * in->n_days + d;
    const double demand = in->demand[today];
    double wanted = demand, volume = in->volume[today];
    if (demand > 0.0 && in->overflow == SPREAD)
        wanted = most(demand, least(in->target[p], demand + *backlog));
    else if (demand > 0.0 && in->overflow == HOLD)
        wanted = demand + *backlog;
    if (in->n_reaction > 0 && volume > 0.0) {
        if (mind->resting > 0.0) {
            mind->resting -= 1.0;
            volume = 0.0;
        } else {
            double reached = stage(in->stage_volume + p * in->n_days, in->n_stages[p], mind->pointer);
            volume = least(reached, least(wanted, in->ceiling[today]));
        }
    }
    volume = floor(volume + HALF);
    day[INJECTED] = volume;
    if (demand > 0.0)
        *backlog = most(0.0, *backlog + demand - volume);
    day[OVERFLOWN] = in->overflow == SKIP ? most(0.0, demand - volume) : *backlog;
    return volume;
}

static double days_counts(const Inputs *in, int64_t p, int64_t d, double *backlog, Limiter *limiter, double *held,
                          double *day)
{
    const double *seen = in->seen + (p * in->n_seen + d) * N_ROWS, demand = in->demand[p * in->n_days + d];
    for (int row = 0; row < N_ROWS; row++)
        if (row < REPUTATION || row > ESTABLISHED)
            day[row] = seen[row];
    double volume = day[INJECTED];
    if (demand > 0.0)
        *backlog = most(0.0, *backlog + demand - volume);
    day[OVERFLOWN] = in->overflow == SKIP ? most(0.0, demand - volume) : *backlog;
    if (in->overflow == HOLD && volume > 0.0)
        held_days(held, &limiter->oldest, d, volume);
    return volume;
}

/* Returns the share of bad addresses in the day's mail. */
static double todays_rates(const Inputs *in, int64_t p, int64_t d, const Mind *mind, double volume, double *peaks,
                           double *complaint_rate)
{
    int64_t low = d, high = d;
    double between = 0.0, bad = 0.0, complaints = 0.0;
    if (in->n_reaction > 0 && d >= in->n_seen) {
        int64_t last = in->n_stages[p] - 1;
        double position = least(most(mind->pointer, 0.0), (double)last);
        int64_t whole = (int64_t)position;
        low = in->stage_day[p * in->n_days + whole];
        high = in->stage_day[p * in->n_days + (whole < last ? whole + 1 : last)];
        between = position - (double)whole;
    }
    const double *mix_low = in->mix + (p * in->n_days + low) * in->n_segments;
    const double *mix_high = in->mix + (p * in->n_days + high) * in->n_segments;
    for (int64_t g = 0; g < in->n_segments; g++) {
        double share = (1.0 - between) * mix_low[g] + between * mix_high[g];
        double first_contacts = in->transactional ? volume * share : most(0.0, volume * share - peaks[g]);
        peaks[g] = most(peaks[g], volume * share);
        bad += first_contacts * in->hard_bounce_rate[p * in->n_segments + g];
        complaints += share * in->complaint_rate[p * in->n_segments + g];
    }
    *complaint_rate = complaints;
    return bad / volume;
}

static void react(const double *reaction, int64_t n_stages, double share, double troubled, bool blocked, Mind *mind)
{
    const double hold_above = reaction[0], hold_messages = reaction[1], back_above = reaction[2];
    const double back_stages = reaction[3], cut = reaction[4], recovery = reaction[5], rest_days = reaction[6];
    if (!blocked && !(share > hold_above && troubled >= hold_messages)) {
        mind->good_pointer = mind->pointer;
        mind->any_good = true;
        mind->pointer = least((double)n_stages - 1.0, mind->pointer + mind->step);
        mind->step = least(1.0, recovery * mind->step);
        return;
    }
    if (!mind->any_good) {
        mind->pointer -= 1.0;
    } else {
        if (blocked || share > back_above)
            mind->good_pointer -= back_stages;
        mind->pointer = mind->good_pointer;
    }
    mind->step *= cut;
    if (blocked)
        mind->resting = rest_days;
}

static double rate_strain(double events, double trials, double limit)
{
    double rate = (events + 0.5 * PSEUDO_MESSAGES * limit) / (trials + PSEUDO_MESSAGES);
    return least(2.0, most(0.0, rate / limit - 1.0));
}

/* All days of one scenario at one provider. */
static void run_provider(const Inputs *in, int64_t s, int64_t p, double *out, double *delays, Queue *q, Rounds *rounds,
                         Due *due, double *held, double *peaks)
{
    const int64_t n_days = in->n_days, pair = s * in->n_providers + p, n_pairs = in->n_scenarios * in->n_providers;
    const int64_t waits = p * in->n_waits;
    const Retries retries = {
        in->n_firsts, (in->n_firsts + 1) * N_FATES, in->width,
        in->attempts + p * in->n_firsts, in->class_of_cause + p * N_CAUSES, in->wait_first + waits, in->wait_n + waits,
        in->wait_share + waits * in->width, in->wait_seconds + waits * in->width, in->wait_rounds + waits,
        in->nominal + p * in->n_firsts * in->n_attempts, in->early + pair * in->n_attempts,
        in->pause_slots[p], in->round_slots, in->slot_seconds
    };
    double w[N_WORLD];
    for (int64_t k = 0; k < N_WORLD; k++)
        w[k] = in->world[(s * N_WORLD + k) * in->n_providers + p];
    Limiter limiter = {-1.0, -1.0, 0, 0, false};
    const double begins = (double)in->first_stage[p];
    Mind mind = {.pointer = begins, .step = 1.0, .good_pointer = most(0.0, begins - 1.0), .any_good = begins > 0.0};
    double established = w[W_ESTABLISHED], reputation = 1.0, complaints = 0.0, bounces = 0.0, deliveries = 0.0;
    double backlog = 0.0, complaint_rate = 0.0, queued = 0.0, active_days = 0.0, last_seven[7] = {0};
    clear(q, rounds);
    memset(peaks, 0, (size_t)in->n_segments * sizeof *peaks);

    for (int64_t d = 0; d < n_days; d++) {
        double day[N_ROWS] = {0};
        double fading = HEADROOM_FLOOR + (1.0 - HEADROOM_FLOOR) / (1.0 + established / w[W_FADES_AT]);
        double headroom = w[W_COLD] + (w[W_JUMP] - 1.0) * established * fading;
        double tolerated = established + reputation * w[W_AUTH] * headroom;
        day[REPUTATION] = reputation;
        day[ALLOWANCE] = tolerated;
        day[ESTABLISHED] = established;
        const bool happened = d < in->n_seen;
        double volume, bad_share = 0.0;
        held[d] = in->demand[p * n_days + d];
        if (happened)
            volume = days_counts(in, p, d, &backlog, &limiter, held, day);
        else
            volume = todays_volume(in, p, d, &mind, &backlog, day);
        if (volume > 0.0)
            bad_share = todays_rates(in, p, d, &mind, volume, peaks, &complaint_rate);
        const bool by_reputation = reputation < w[W_BLOCK_BELOW];
        const Today today = {
            .tolerated = tolerated,
            .doubt = (1.0 - reputation) * (1.0 - reputation),
            .greylisting = w[W_GREYLISTING_PROBABILITY] * exp(-w[W_GREYLISTING_FADE] * active_days),
            .volume = volume,
            .bad_share = bad_share,
            .blocks = by_reputation || d < in->opens[p],
            .holds = in->overflow == HOLD,
        };
        if (happened)
            complaint_rate = in->seen_complaint_rate[p * in->n_seen + d];
        else
            run_day(in, d, w, &today, &retries, in->keys[pair], in->pace + p * in->n_slots, &limiter, held, q, rounds,
                    due, day, delays);

        queued += day[INJECTED] - day[DELIVERED] - day[HARD_BOUNCED] - day[BLOCKED] - day[EXPIRED];
        day[QUEUED] = most(0.0, queued);
        for (int64_t row = 0; row < N_ROWS; row++)
            out[(row * n_pairs + pair) * n_days + d] = day[row];

        double excess = most(0.0, volume - tolerated) / most(volume, 1e-9), peak = 0.0;
        last_seven[d % 7] = day[DELIVERED];
        for (int i = 0; i < 7; i++)
            peak = most(peak, last_seven[i]);
        complaints = complaints * KEEP + day[DELIVERED] * complaint_rate;
        bounces = bounces * KEEP + day[HARD_BOUNCED];
        deliveries = deliveries * KEEP + day[DELIVERED];
        double strain = rate_strain(complaints, deliveries, w[W_COMPLAINT_LIMIT])
                        + rate_strain(bounces, deliveries + bounces, w[W_HARD_BOUNCE_LIMIT])
                        + least(1.0, most(0.0, excess / w[W_EXCESS_LIMIT] - 1.0));
        double risen = RISE * (1.0 - excess) * most(day[DELIVERED] - established, 0.0);
        established = established + risen - w[W_IDLE_DECAY] * most(established - peak, 0.0);
        reputation = reputation + w[W_REPUTATION_RECOVERY] * (1.0 - reputation) - w[W_REPUTATION_SENSITIVITY] * strain;
        reputation = least(1.0, most(0.05, reputation));
        if (day[DELIVERED] >= 0.5)
            active_days += 1.0;

        if (in->n_reaction > 0 && volume > 0.0 && !happened) {
            double share = least(1.0, day[FIRST_TROUBLE] / volume);
            bool blocked = by_reputation && day[BLOCKED] > 0.0;
            react(in->reaction, in->n_stages[p], share, day[FIRST_TROUBLE], blocked, &mind);
        }
    }
}

/* Simulate scenarios first..last-1; returns 0, or 1 where memory is short. */
int run_chunk(int64_t first, int64_t last, const Inputs *in, double *out, double *delays)
{
    const int64_t n_firsts = in->n_firsts, n_classes = (n_firsts + 1) * N_FATES, n_cells = in->n_attempts * n_classes;
    const int64_t n_round_cells = in->n_attempts * n_firsts;
    Mail *mail = calloc((size_t)(in->ring_slots * n_cells), sizeof *mail);
    int32_t *cells = calloc((size_t)(in->ring_slots * n_cells), sizeof *cells);
    int64_t *whole = calloc((size_t)(in->ring_slots + 4 * n_cells), sizeof *whole);
    double *real = calloc((size_t)(7 * n_cells + in->n_rounds * (n_round_cells + 1) + in->n_days + in->n_segments),
                          sizeof *real);
    const bool short_of_memory = !mail || !cells || !whole || !real;
    if (!short_of_memory) {
        Queue q = {in->ring_slots, n_cells, mail, cells, whole};
        int64_t *of_cell = whole + in->ring_slots;
        double *of_rounds = real + 7 * n_cells, *held = of_rounds + in->n_rounds * (n_round_cells + 1);
        Rounds rounds = {in->n_rounds, n_round_cells, of_rounds, of_rounds + in->n_rounds * n_round_cells};
        Due due = {
            .cell = of_cell, .attempt = of_cell + n_cells, .group = of_cell + 2 * n_cells, .luck = of_cell + 3 * n_cells,
            .left = real, .age = real + n_cells, .start = real + 2 * n_cells, .bad = real + 3 * n_cells,
            .part = real + 4 * n_cells, .deferred = real + 5 * n_cells, .again = real + 6 * n_cells,
        };
        for (int64_t cell = 0; cell < n_cells; cell++) {
            int64_t place = cell % n_classes, group = place / N_FATES;
            due.attempt[cell] = cell / n_classes;
            due.group[cell] = group;
            due.luck[cell] = due.attempt[cell] * 64 + (group == n_firsts ? 62 + place % N_FATES : place);
        }
        for (int64_t s = first; s < last; s++)
            for (int64_t p = 0; p < in->n_providers; p++) {
                double *own = delays + (s * in->n_providers + p) * N_DELAY_BINS;
                run_provider(in, s, p, out, own, &q, &rounds, &due, held, held + in->n_days);
            }
    }
    free(mail);
    free(cells);
    free(whole);
    free(real);
    return short_of_memory;
}
