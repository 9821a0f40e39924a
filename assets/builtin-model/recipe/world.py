"""Procedural poster world: scenes, captions and a vectorised numpy painter.
Every picture is a pure function of (seed, size). Planar float32 RGB in 0..1, y grows downwards."""
import numpy as np

F = np.float32
COL = {  # object colours
    'red': (.84, .08, .10), 'orange': (.98, .45, .03), 'yellow': (1., .87, .14), 'green': (.15, .60, .20),
    'teal': (.03, .66, .66), 'blue': (.11, .29, .90), 'purple': (.49, .18, .76), 'pink': (1., .52, .76),
    'white': (.96, .96, .96), 'black': (.07, .07, .08)}
COLN = list(COL)
TIMES = ['dawn', 'day', 'sunset', 'night']
SKY = {'dawn': [(.38, .48, .74), (.86, .66, .74), (1., .86, .70)],
       'day': [(.16, .44, .84), (.44, .70, .95), (.80, .92, 1.)],
       'sunset': [(.20, .13, .42), (.86, .32, .38), (1., .74, .34)],
       'night': [(.015, .025, .09), (.05, .08, .22), (.14, .20, .40)]}
STORM = {'dawn': [(.30, .31, .36), (.45, .45, .49), (.66, .63, .62)], 'day': [(.30, .34, .39), (.45, .50, .55), (.66, .71, .74)],
         'sunset': [(.20, .16, .28), (.44, .28, .38), (.80, .50, .40)], 'night': [(.02, .025, .04), (.06, .07, .10), (.13, .15, .20)]}
LIGHT = {'dawn': (.98, .84, .80), 'day': (1., 1., .98), 'sunset': (.95, .62, .50), 'night': (.32, .38, .60)}
# light on things whose colour is captioned: nearly neutral, so that the word stays true at any time
TRUE = {'dawn': (.99, .93, .90), 'day': (1., 1., .99), 'sunset': (.98, .89, .83), 'night': (.76, .75, .80)}
TERRAIN = ['snowy mountains', 'mountains', 'hills', 'dunes', 'forest', 'mesas', 'city', 'islands', 'volcano']
GROUND = ['lake', 'sea', 'meadow', 'desert', 'snow field', 'flower field']
SKYW = ['clear', 'clouds', 'storm', 'aurora', 'fog', 'rainbow', 'snowfall', 'stars']
BODY = ['none', 'sun', 'moon', 'crescent moon', 'two moons', 'three moons', 'ringed planet']
FLOORS = ['wooden floor', 'checkered floor', 'marble floor', 'grass', 'sand', 'snow', 'water', 'stone floor']
SOLIDS = ['sphere', 'cube', 'cylinder', 'cone', 'pyramid']
MATS = ['matte', 'shiny', 'metal']
PROPS = ['house', 'pine trees', 'trees', 'cherry trees', 'sailboat', 'lighthouse', 'balloon', 'cactus', 'castle']

_mat = {}


def imat(S, k):
    if (S, k) not in _mat:
        x = (np.arange(S) + .5) / S * k
        i = np.minimum(x.astype(int), k - 1); t = x - i; t = t * t * (3 - 2 * t)
        m = np.zeros((S, k + 1), F); m[np.arange(S), i] = 1 - t; m[np.arange(S), i + 1] = t
        _mat[S, k] = m
    return _mat[S, k]


def noise2(r, S, kx, ky=None, octs=3):
    out = 0; a = 1.; tot = 0
    for o in range(octs):
        k1 = kx << o; k2 = (ky or kx) << o
        out = out + a * (imat(S, k2) @ r.random((k2 + 1, k1 + 1), F) @ imat(S, k1).T); tot += a; a *= .5
    return (out / tot).astype(F)


def noise1(r, S, k, octs=4, gain=.5):
    out = 0; a = 1.; tot = 0
    for o in range(octs):
        kk = k << o; out = out + a * (imat(S, kk) @ r.random(kk + 1, F)); tot += a; a *= gain
    return (out / tot).astype(F)


def mix(a, b, t): return a + (b - a) * t
def C(c): return np.asarray(c, F)


class P:
    """painter"""
    def __init__(s, S, seed):
        s.S = S; s.px = 1. / S; s.r = np.random.default_rng(seed); s.dry = False
        a = (np.arange(S, dtype=F) + .5) / S
        s.x = a; s.X = a[None, :]; s.Y = a[:, None]
        s.im = np.zeros((3, S, S), F)

    def over(s, m, c, sl=None):
        im = s.im if sl is None else s.im[:, sl[0], sl[1]]
        c = np.asarray(c, F)
        if c.ndim == 1: c = c[:, None, None]
        im += m * (c - im)

    def win(s, x0, y0, x1, y1):
        S = s.S
        a, b = max(0, int(x0 * S) - 1), min(S, int(x1 * S) + 2); c, d = max(0, int(y0 * S) - 1), min(S, int(y1 * S) + 2)
        if a >= b or c >= d: return None
        return (slice(c, d), slice(a, b))

    def disc(s, cx, cy, rad, c, alpha=1., shade=None):
        w = s.win(cx - rad, cy - rad, cx + rad, cy + rad)
        if w is None: return
        dx = s.X[:, w[1]] - cx; dy = s.Y[w[0]] - cy
        m = np.clip((rad - np.sqrt(dx * dx + dy * dy)) * s.S + .5, 0, 1) * alpha
        c = C(c)
        if shade is not None:  # (lx,ly,amount): darker away from the light
            sh = 1 + shade[2] * np.clip((dx * shade[0] + dy * shade[1]) / rad, -1, 1)
            c = np.clip(c[:, None, None] * sh, 0, 1)
        s.over(m, c, w)

    def poly(s, pts, c, alpha=1.):
        xs = [float(q[0]) for q in pts]; ys = [float(q[1]) for q in pts]
        w = s.win(min(xs), min(ys), max(xs), max(ys))
        if w is None: return
        X = s.X[:, w[1]]; Y = s.Y[w[0]]; d = None
        k = len(xs); ar = sum(xs[i] * ys[(i + 1) % k] - xs[(i + 1) % k] * ys[i] for i in range(k))
        if ar < 0: xs.reverse(); ys.reverse()
        for i in range(k):
            ax, ay = xs[i], ys[i]; nx, ny = ay - ys[(i + 1) % k], xs[(i + 1) % k] - ax
            q = s.S / ((nx * nx + ny * ny) ** .5 + 1e-9); nx *= q; ny *= q
            e = X * nx + (Y * ny - (ax * nx + ay * ny))
            d = e if d is None else np.minimum(d, e)
        s.over(np.clip(d + .5, 0, 1) * alpha, c, w)

    def cap(s, ax, ay, bx, by, rad, c):
        w = s.win(min(ax, bx) - rad, min(ay, by) - rad, max(ax, bx) + rad, max(ay, by) + rad)
        if w is None: return
        px = s.X[:, w[1]] - ax; py = s.Y[w[0]] - ay; dx, dy = bx - ax, by - ay
        t = np.clip((px * dx + py * dy) / (dx * dx + dy * dy + 1e-9), 0, 1)
        d = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
        s.over(np.clip((rad - d) * s.S + .5, 0, 1), c, w)


# ------------------------------------------------------------------ sky
def sky_cols(sc, r):
    p = (STORM if sc['sky'] == 'storm' else SKY)[sc['time']]
    p = [C(c) for c in p]
    if sc.get('skycol'):
        t = C(COL[sc['skycol']]); lum = [c.mean() for c in p]
        p = [np.clip(mix(c, t * (.35 + .9 * l), .75), 0, 1) for c, l in zip(p, lum)]
    j = r.normal(0, .02, 3).astype(F)
    if sc['sky'] == 'snowfall': p = [mix(c, C((.50, .57, .68)) * (.25 if sc['time'] == 'night' else 1), .34) for c in p]  # flakes need a duller sky
    return [np.clip(c + j, 0, 1) for c in p]


def skyline(sc):
    """How high the things in front of the sky reach: y of their top in each of 48 columns."""
    q = P(48, (sc['seed'], 6)); q.im[:] = -10; q.dry = True; hz = sc['hz']
    sc.update(_bx=.5 + .25 * sc['_side'], _hor=C((0, 0, 0)))
    if sc['terrain'] != 'none': paint_terrain(q, sc, hz)
    if sc['kind'] == 'land' and sc['prop'] != 'none':
        q.r = np.random.default_rng((sc['seed'], 7)); paint_prop(q, sc, hz, sc['prop'])
    m = (q.im[0] > -5) | (q.Y > hz); top = m.argmax(0) / q.S
    for o in sc.get('objs', []):
        x0, y0, x1, y1 = frame(o, hz); c = (q.x > x0 - .02) & (q.x < x1 + .02); top[c] = np.minimum(top[c], y0 - .02)
    return top


def layout(sc):
    """Where bodies and rainbow go, so that nothing hides them: a list of (x, y, radius), and (x, y, radius) or None."""
    r = np.random.default_rng((sc['seed'], 8)); hz = sc['hz']; top = skyline(sc) if sc['body'] != 'none' or sc['sky'] in ('clouds', 'storm', 'rainbow') else None; cols = (np.arange(48) + .5) / 48; arc = None
    if sc['sky'] == 'rainbow':
        R = r.uniform(.56, .70); arc = (r.uniform(.36, .64), r.uniform(.07, .12) + R, R)
    body = sc['body']; side = sc['_side']; out = []
    if body != 'none':
        n = {'two moons': 2, 'three moons': 3}.get(body, 1)
        low = body == 'sun' and sc['time'] in ('dawn', 'sunset') and sc['sky'] != 'fog'
        for i in range(n):
            rad = r.uniform(*{'sun': (.062, .095), 'moon': (.068, .105), 'crescent moon': (.08, .115), 'ringed planet': (.068, .092)}.get(body, (.056, .08)))
            if n == 1: lo, hi = {-1: (.13, .33), 0: (.40, .60), 1: (.67, .87)}[side]
            else: lo, hi = i / n + .02, (i + 1) / n - .02
            best = None
            for k in range(40):
                if k and k % 10 == 0: rad *= .86
                if k == 30 and n > 1: lo, hi = .08, .92
                wx = rad * (2.1 if body == 'ringed planet' else 1.); wy = rad * (1.25 if body == 'ringed planet' else 1.)
                x = float(np.clip(r.uniform(lo, hi), wx + .015, 1 - wx - .015)); u = r.random()
                roof = top[np.abs(cols - x) < wx + .02].min() - wy * (.7 if low else 1.05); roof = min(roof, hz - .24 if sc['sky'] == 'fog' else 1)
                f = wy + .02; y = roof - .12 * u if low else f + (min(roof, hz * .5) - f) * u
                gap = min(roof - f, y - f + .01)
                for (bx, by, br) in out: gap = min(gap, np.hypot(x - bx, y - by) - br - rad - .03)
                if arc: gap = min(gap, min(abs(np.hypot(x - arc[0], y - arc[1]) - arc[2] + .045) - wx - .06, 0))
                if best is None or gap > best[0]: best = (gap, x, y, rad)
                if gap >= 0: break
            sc['_gap'] = min(sc.get('_gap', 1), best[0])
            out.append((best[1], max(best[2], wy + .01), best[3]))
    return top, out, arc


def paint_sky(p, sc, hz):
    r = p.r; c0, c1, c2 = sky_cols(sc, r); sc['_hor'] = c2; sc['_mid'] = c1; sc['_top'] = c0
    t = np.clip(p.Y / hz, 0, 1)[None]
    k = .55
    col = np.where(t < k, mix(c0[:, None, None], c1[:, None, None], t / k), mix(c1[:, None, None], c2[:, None, None], (t - k) / (1 - k)))
    p.im[:] = col
    night = sc['time'] == 'night'
    side = sc['_side']; body = sc['body']; bodies = sc['_bodies']
    if sc['sky'] == 'stars':
        for i in range(int(r.integers(60, 110))):
            x, y = r.random(), r.random() * hz * .95; q = r.random()
            rad = .0046 + .005 * q ** 4; a = .55 + .45 * r.random(); c = mix(C((1, 1, 1)), C((.75, .85, 1.)), r.random())
            if any(np.hypot(x - bx, y - by) < br * 1.3 for (bx, by, br) in bodies): continue
            p.disc(x, y, rad, c, a)
            if q > .93:  # a few glitter
                for l, t in ((.022, .0028), (.0028, .022)): p.poly([(x - l, y), (x, y - t), (x + l, y), (x, y + t)], c, .9)
    if sc['sky'] == 'aurora':
        main = C([(.15, .95, .55), (.2, .9, .8), (.75, .3, .9)][int(r.integers(3))]); tip = C((.55, .2, .85))
        for b in range(int(r.integers(2, 4))):
            y0 = hz * (r.uniform(.40, .66)) + (noise1(r, p.S, 3, 2) - .5) * hz * .55
            h = hz * r.uniform(.28, .5)
            d = (y0[None, :] - p.Y) / h
            streak = .55 + .45 * noise1(r, p.S, 14, 2)[None, :]
            a = np.where(d > 0, np.exp(-2.2 * d) * np.clip(d * 9, 0, 1), 0) * streak * r.uniform(.5, .8)
            p.im += a * mix(main[:, None, None], tip[:, None, None], np.clip(d, 0, 1)[None] * .9)
        np.clip(p.im, 0, 1, p.im)
    paint_clouds(p, sc, hz)
    for (cx, cy, rad) in bodies:
        if body == 'sun': paint_sun(p, sc, cx, cy, rad)
        else: paint_moon(p, sc, cx, cy, rad)


def paint_sun(p, sc, cx, cy, rad):
    sun = C({'dawn': (1, .90, .52), 'day': (1, .90, .34), 'sunset': (1, .78, .26)}[sc['time']])
    d2 = (p.X - cx) ** 2 + (p.Y - cy) ** 2
    p.over(.45 * np.exp(-d2 / (2 * (rad * 2.4) ** 2)) + .25 * np.exp(-d2 / (2 * (rad * 6) ** 2)), mix(sun, C((1, 1, 1)), .25))
    p.disc(cx, cy, rad * 1.9, sun, .22); p.disc(cx, cy, rad * 1.42, sun, .34)  # rings of a poster sun; no moon has them
    p.disc(cx, cy, rad, sun); p.disc(cx, cy, rad * .72, mix(sun, C((1, 1, .94)), .55), .75)


def paint_moon(p, sc, cx, cy, rad):
    r = p.r; body = sc['body']; night = sc['time'] == 'night'; col = sc['bodycol']
    pc = C(COL[col]) * .86 + .10 if col else C((.97, .96, .90)) if night else C((.98, .98, 1.))
    d2 = (p.X - cx) ** 2 + (p.Y - cy) ** 2
    p.over((.32 if night else .12) * np.exp(-d2 / (2 * (rad * 1.9) ** 2)), pc)
    if body == 'crescent moon':
        o = rad * .5 * (-1 if sc['_side'] >= 0 else 1)
        w = p.win(cx - rad, cy - rad, cx + rad, cy + rad)
        X = p.X[:, w[1]]; Y = p.Y[w[0]]
        m = np.clip((rad - np.sqrt((X - cx) ** 2 + (Y - cy) ** 2)) * p.S + .5, 0, 1)
        m2 = np.clip((rad * .88 - np.sqrt((X - cx - o) ** 2 + (Y - cy + rad * .18) ** 2)) * p.S + .5, 0, 1)
        p.over(m * (1 - m2), pc, w)
    elif body == 'ringed planet':
        tl = r.uniform(-.42, .42); ct, st = np.cos(tl), np.sin(tl)
        R = rad * 2.2; w = p.win(cx - R, cy - R, cx + R, cy + R)
        X = p.X[:, w[1]] - cx; Y = p.Y[w[0]] - cy
        u = X * ct + Y * st; v = (-X * st + Y * ct)
        e = np.sqrt(u * u + (v / .26) ** 2) / rad
        ring = np.clip((e - 1.32) * rad * p.S * .5, 0, 1) * np.clip((2.1 - e) * rad * p.S * .5, 0, 1) * .92
        rc = np.clip(pc * .4 + .56, 0, 1)
        back = (v < 0)
        p.over(ring * back, rc, w)
        m = np.clip((rad - np.sqrt(X * X + Y * Y)) * p.S + .5, 0, 1)
        band = .90 + .10 * np.sin(v / rad * 9)
        sh = np.clip(1.04 + .28 * (X * -.6 + Y * -.8) / rad, .3, 1.25)
        p.over(m, np.clip(pc[:, None, None] * band * sh, 0, 1), w)
        p.over(ring * (~back), rc, w)
    else:
        p.disc(cx, cy, rad, pc, 1., (-.6, -.8, .07))
        for (a, d, q) in ((.9, .50, .26), (2.6, .38, .20), (4.2, .55, .17), (5.4, .30, .14)):
            a += r.uniform(-.5, .5); rr = rad * d
            p.disc(cx + rr * np.cos(a), cy + rr * np.sin(a), rad * q, pc * .80, .85)


def paint_rainbow(p, sc, hz):
    cx, cy, R = sc['_arc']
    d = np.sqrt((p.X - cx) ** 2 + (p.Y - cy) ** 2); wd = .015; f = np.clip((hz - p.Y) / .10, 0, 1) * .80
    for i, c in enumerate([(.90, .12, .18), (1, .52, .08), (1, .90, .18), (.22, .78, .32), (.16, .46, .95), (.52, .22, .82)]):
        p.over(np.clip((wd * .55 - np.abs(d - R + i * wd)) * p.S + .5, 0, 1) * f, c)


def paint_clouds(p, sc, hz):
    r = p.r; night = sc['time'] == 'night'; top = sc['_top_of']; n48 = (np.arange(48) + .5) / 48
    if sc['sky'] in ('clouds', 'storm', 'rainbow'):
        n = int(r.integers(3, 6)) if sc['sky'] != 'storm' else int(r.integers(6, 9))
        lc = mix(C(LIGHT[sc['time']]), C((1, 1, 1)), .45); base = mix(C((1, 1, 1)) * lc, sc['_mid'], .12 if sc['sky'] != 'storm' else .62)
        if night: base = mix(C((.33, .38, .55)), sc['_mid'], .35)
        shd = mix(base, sc['_mid'], .55)
        for i in range(n):
            wv = r.uniform(.1, .24) * (1.35 if sc['sky'] == 'storm' else 1); k = int(r.integers(4, 7)); ok = False
            for tries in range(16):  # beside the bodies, above the skyline
                cx = r.uniform(-.05, 1.05); cy = r.uniform(.1 * hz, min(.72 * hz, np.median(top[np.abs(n48 - cx) < max(wv, .07)]) + .02))
                gap = [np.hypot(max(abs(bx - cx) - wv * 1.1, 0), max(cy - wv * .62 - by, by - cy, 0)) - br for (bx, by, br) in sc['_bodies']]
                ok = (not gap or min(gap) > 0) and cy > .05
                if ok: break
                wv = max(wv * .93, .07)
            if not ok: continue
            w = p.win(cx - wv * 1.3, cy - wv * .8, cx + wv * 1.3, cy + .012)
            if w is None: continue
            X = p.X[:, w[1]]; Y = p.Y[w[0]]; dm = None
            for j in range(k):
                u = (j + .5) / k * 2 - 1; rad = wv * (.20 + .24 * (1 - u * u)) * r.uniform(.8, 1.2); ox = cx + u * wv * .85; oy = cy - rad * .55
                e = rad - np.sqrt((X - ox) ** 2 + (Y - oy) ** 2); dm = e if dm is None else np.maximum(dm, e)
            dm = np.minimum(dm, cy - Y)
            m = np.clip(dm * p.S * .8 + .5, 0, 1) * .93
            t = np.clip((cy - Y) / (wv * .5), 0, 1)
            p.over(m, mix(shd[:, None, None], base[:, None, None], t[None]), w)


# ------------------------------------------------------------------ terrain layers
def lit(sc, c, depth):
    """apply light colour and atmospheric perspective"""
    c = C(c) * C(LIGHT[sc['time']])
    if sc['sky'] == 'storm': c = mix(c, np.full(3, c.mean(), F), .35) * .85
    fog = depth if sc['sky'] != 'fog' else min(1, depth * 1.1 + .16)
    return mix(c, sc['_hor'] * .92, fog)


def true(sc, c):
    """light on a captioned colour"""
    return np.clip(C(c) * C(TRUE[sc['time']]) * (.9 if sc['sky'] == 'storm' else 1), 0, 1)


def ridge(p, h, col):
    """fill below y=h(x) with analytic coverage"""
    g = np.abs(np.gradient(h)) * p.S
    m = np.clip((p.Y - h[None, :]) * p.S / np.sqrt(1 + g * g)[None] + .5, 0, 1)
    p.over(m, col); return m


def paint_mountains(p, sc, hz, snow, depth, hmax, n, base):
    r = p.r; cx = (np.arange(n) + r.uniform(.15, .85, n)) / n; order = r.permutation(n)
    X = p.x; H = np.full(p.S, hz + .02, F); own = np.zeros(p.S, int)
    jag = (noise1(r, p.S, 12, 3) - .5) * .045
    ht = r.uniform(.6, 1., n) * hmax; wd = ht * r.uniform(.85, 1.35, n)
    for i in order:
        h = hz - ht[i] * (1 - np.abs(X - cx[i]) / wd[i]) + jag * np.clip(1 - np.abs(X - cx[i]) / wd[i], 0, 1) * 1.2
        b = h < H; own[b] = i; H = np.minimum(H, h)
    side = -1 if sc['_bx'] < .5 else 1
    zig = (noise1(r, p.S, 10, 3) - .5) * .16  # indexed by y
    oc = cx[own][None, :]; top = (hz - ht[own])[None, :]
    dn = p.Y - top
    edge = oc + zig[:, None] * np.clip(dn * 6, 0, 1) + dn * .12 * side
    lf = np.clip(((p.X - edge) * side) * p.S * .7 + .5, 0, 1)
    cl = lit(sc, base, depth); cd = lit(sc, C(base) * .62, depth)
    col = mix(cd[:, None, None], cl[:, None, None], lf[None])
    if snow:
        sn = noise1(r, p.S, 16, 2)[None, :] * .11 + noise1(r, p.S, 9, 2)[:, None] * .05
        sl = (hmax * r.uniform(.42, .6)) * (ht[own] / hmax)[None, :]
        ms = np.clip((sl - dn + sn - .08) * p.S * .5 + .5, 0, 1)
        wl = lit(sc, (1., 1., 1.), depth * .5); wdk = lit(sc, (.66, .74, .90), depth * .5)
        col = mix(col, mix(wdk[:, None, None], wl[:, None, None], lf[None]), ms[None])
    fade = np.clip((p.Y - (hz - hmax * .45)) / (hmax * .45), 0, 1) * .45
    col = mix(col, (sc['_hor'] * .92)[:, None, None], fade[None])
    ridge(p, H, col)


def paint_terrain(p, sc, hz):
    t = sc['terrain']; r = p.r; up = .8 if sc['kind'] == 'still' else 1.  # low behind solids: the sky needs room
    if t in ('snowy mountains', 'mountains'):
        b = (.42, .44, .52) if t != 'mountains' else [(.45, .40, .38), (.38, .42, .40), (.50, .38, .34)][int(r.integers(3))]
        paint_mountains(p, sc, hz, t[0] == 's', .42, r.uniform(.20, .28) * up, int(r.integers(3, 5)), b)
        paint_mountains(p, sc, hz, t[0] == 's', .16, r.uniform(.15, .23) * up, int(r.integers(2, 4)), b)
    elif t == 'volcano':
        paint_mountains(p, sc, hz, False, .5, .12, 4, (.40, .36, .38))
        cx = .5 + .12 * r.random() * (-1 if sc['_side'] > 0 else 1); hh = r.uniform(.26, .33); w = hh * 1.15; d = np.abs(p.x - cx)
        h = hz - hh * np.clip(1 - d / w, 0, .8) ** 1.25 / .8 ** 1.25 + (noise1(r, p.S, 14, 2) - .5) * .012
        h = np.where(d < w * .2, np.maximum(h, hz - hh + .012 * np.cos(d / (w * .2) * 1.57)), h)
        lf = np.clip((p.X - cx) * (1 if sc['_bx'] > .5 else -1) * 6 + .5 + (noise1(r, p.S, 8, 2)[:, None] - .5), 0, 1)
        ridge(p, h.astype(F), mix(lit(sc, (.20, .16, .18), .1)[:, None, None], lit(sc, (.38, .30, .30), .1)[:, None, None], lf[None]))
        for q in range(7):  # smoke
            yy = hz - hh - .012 - q * .035; p.disc(cx + q * .018 * np.sin(q + cx * 9) + q * .01, yy, .02 + q * .009, mix(lit(sc, (.45, .42, .44), .2), C((.9, .3, .1)), .35 * (q < 2)), .75)
        for q in range(3):
            x0 = cx + (q - 1) * .02; lx = x0 + (q - 1) * .07
            p.poly([(x0 - .008, hz - hh + .004), (x0 + .008, hz - hh + .004), (lx + .006, hz - hh * r.uniform(.3, .55)), (lx - .004, hz - hh * .5)], (1., .42, .08), .95)
        d2 = (p.X - cx) ** 2 + (p.Y - (hz - hh)) ** 2; p.over(.45 * np.exp(-d2 / (2 * .045 ** 2)), (1., .5, .12))
    elif t in ('hills', 'dunes'):
        base = C((.36, .60, .26)) if t == 'hills' else C((.90, .68, .40))
        for i, dp in enumerate((.5, .28, .08)):
            amp = (.13, .10, .07)[i]
            if t == 'hills':
                h = hz - amp * noise1(r, p.S, 3, 2, .35) * (1.25 - .25 * i) + .01
                c1 = lit(sc, base * (1.12 - .1 * i), dp); c2 = lit(sc, base * (.62 - .04 * i), dp)
                tt = np.clip((p.Y - h[None]) / .1, 0, 1); ridge(p, h, mix(c1[:, None, None], c2[:, None, None], tt[None]))
            else:
                n = 3; cx = (np.arange(n) + r.uniform(.1, .9, n)) / n; ht = r.uniform(.5, 1, n) * amp * 1.15
                H = np.full(p.S, hz + .02, F); own = np.zeros(p.S, int)
                for k in range(n):
                    dd = p.x - cx[k]; w = np.where(dd < 0, .36, .22); h = hz - ht[k] * np.clip(np.cos(np.clip(dd / w, -1, 1) * 1.57), 0, 1) ** 1.4
                    b = h < H; own[b] = k; H = np.minimum(H, h).astype(F)
                edge = cx[own][None] + (p.Y - (hz - ht[own])[None]) * 1.1
                lf = np.clip((edge - p.X) * p.S * .25 + .5, 0, 1) if sc['_bx'] < .5 else 1 - np.clip((edge - p.X) * p.S * .25 + .5, 0, 1)
                ridge(p, H, mix(lit(sc, base * .60, dp)[:, None, None], lit(sc, base * 1.06, dp)[:, None, None], lf[None]))
    elif t == 'forest':
        for i, dp in enumerate((.55, .33, .10)):
            hh = (.10, .12, .15)[i]; n = (34, 24, 15)[i]; h = np.full(p.S, hz + .01, F)
            bs = hz - (.05, .025, 0)[i] - .05 * noise1(r, p.S, 2, 2) * (i < 2)
            for k in range(n):
                cx = (k + r.random()) / n; t_ = hh * r.uniform(.55, 1.); d = np.abs(p.x - cx) / (t_ * .30)
                yy = 1 - d; st = np.floor(yy * 5) / 5; yy = .55 * yy + .45 * (st + .12)
                h = np.where(d < 1, np.minimum(h, bs - t_ * np.clip(yy, 0, 1)), h)
            h = np.minimum(h, bs)
            c = C((.13, .36, .24)); tt = np.clip((p.Y - (hz - hh)) / hh, 0, 1)
            ridge(p, h.astype(F), mix(lit(sc, c * 1.25, dp)[:, None, None], lit(sc, c * .7, dp)[:, None, None], tt[None]))
    elif t == 'mesas':
        for i, dp in enumerate((.42, .12)):
            h = np.full(p.S, hz + .01, F)
            for k in range(3):
                cx = r.uniform(0, 1); w = r.uniform(.07, .17); hh = r.uniform(.12, .25) * (1 - .15 * i); d = np.abs(p.x - cx)
                h = np.minimum(h, np.where(d < w, hz - hh, np.minimum(hz + .02, hz - hh * .45 + (d - w) / .09 * hh * .5)))
            h = (h + (noise1(r, p.S, 30, 2) - .5) * .014).astype(F)
            b = C((.78, .38, .24)); st = .5 + .5 * np.sin((p.Y + (noise1(r, p.S, 6, 2)[None] - .5) * .02) * 150)
            ridge(p, h, mix(lit(sc, b * .72, dp)[:, None, None], lit(sc, b * 1.12, dp)[:, None, None], st[None]))
    elif t == 'city':
        rw = np.random.default_rng((sc['seed'], 9))  # windows
        for i, dp in enumerate((.5, .14)):
            x = -.02
            while x < 1.02:
                w = r.uniform(.05, .10); hh = r.uniform(.08, .30) * (1 - .25 * i) * up; c = lit(sc, C((.36, .40, .50)) * r.uniform(.75, 1.15), dp)
                p.poly([(x, hz - hh), (x + w, hz - hh), (x + w, hz + .01), (x, hz + .01)], c)
                if r.random() < .25: p.poly([(x + w * .5 - .005, hz - hh - .05), (x + w * .5 + .005, hz - hh - .05), (x + w * .6, hz - hh), (x + w * .4, hz - hh)], c)
                if i == 1 and not p.dry:
                    lc = C((1., .85, .45)) if sc['time'] in ('night', 'sunset') else mix(c, C((.9, .95, 1)), .5)
                    for yy in np.arange(hz - hh + .014, hz - .018, .026):
                        for xx in np.arange(x + .010, x + w - .014, .020):
                            if rw.random() < .55: p.poly([(xx, yy), (xx + .010, yy), (xx + .010, yy + .013), (xx, yy + .013)], lc, .95)
                x += w + r.uniform(0, .012)
    elif t == 'islands':
        for i, dp in enumerate((.5, .2)):
            for k in range(2):
                cx = r.uniform(.1, .9); w = r.uniform(.12, .24); hh = r.uniform(.05, .13)
                d = np.clip(np.abs(p.x - cx) / w, 0, 1); h = hz + .004 - hh * (1 - d ** 2) * (.6 + .6 * noise1(r, p.S, 8, 3))
                h = np.where(d < 1, h, hz + .02).astype(F)
                tt = np.clip((p.Y - h[None]) / hh, 0, 1); g = C((.26, .50, .26))
                ridge(p, h, mix(lit(sc, g * 1.2, dp)[:, None, None], lit(sc, g * .55, dp)[:, None, None], tt[None]))


# ------------------------------------------------------------------ ground
def paint_ground(p, sc, hz):
    g = sc['ground']; r = p.r; S = p.S; i0 = int(round(hz * S)); n = S - i0
    if n <= 0: return
    t = ((np.arange(n) + .5) / n)[:, None].astype(F)
    shine = lit if g != 'snow field' else (lambda sc, c, depth: mix(lit(sc, c, depth), true(sc, c), .55))  # snow stays white, or it reads as sand
    night = sc['time'] == 'night'
    if g in ('lake', 'sea'):
        dist = (np.arange(n) + .5) * (1.0 if g == 'lake' else .9)
        rip = np.sin((np.log(t + .06) * 34)) * t[:, 0][:, None] * (2.2 if g == 'lake' else 4.5) * S / 256
        rows = np.clip(i0 - 1 - dist[:, None] - np.round(rip), 0, max(i0 - 1, 0)).astype(int)[:, 0]
        ref = p.im[:, rows, :]
        sh = (noise2(r, S, 3, 24, 2)[:n] - .5) * 2
        off = np.round(sh * t * (5 if g == 'lake' else 11) * S / 256).astype(int)
        idx = np.clip(np.arange(S)[None, :] + off, 0, S - 1)
        ref = np.take_along_axis(ref, np.broadcast_to(idx[None], ref.shape), 2)
        wc = C({'lake': (.12, .36, .50), 'sea': (.05, .34, .52)}[g]) * C(LIGHT[sc['time']])
        k = .25 + .35 * t if g == 'lake' else .40 + .35 * t
        p.im[:, i0:] = ref * .94 + (wc[:, None, None] - ref * .94) * k[None]
        wv = noise2(r, S, 4, 40, 2)[:n]; hl = np.clip((wv - .62) * 9, 0, 1) * (.10 + .16 * t) * (1.4 if g == 'sea' else .8)
        p.im[:, i0:] += hl * (mix(sc['_hor'], C((1, 1, 1)), .3)[:, None, None] - p.im[:, i0:])
        if sc['body'] in ('sun', 'moon', 'crescent moon', 'ringed planet'):
            gl = np.exp(-((p.X - sc['_bx']) / (.035 + .06 * t)) ** 2) * np.clip((wv - .42) * 5, 0, 1) * .75
            p.im[:, i0:] += gl * (C((1, .9, .7) if sc['body'] == 'sun' else (.85, .9, 1))[:, None, None] - p.im[:, i0:])
        if sc['terrain'] == 'none' or True:
            p.im[:, i0:i0 + 1] = mix(p.im[:, i0:i0 + 1], (sc['_hor'] * .8)[:, None, None], .35)
        return
    c = {'meadow': (.40, .64, .24), 'desert': (.92, .72, .44), 'snow field': (.93, .96, 1.), 'flower field': (.36, .60, .25)}[g]
    c1, c2 = shine(sc, c, .30), shine(sc, C(c) * (.78 if g != 'snow field' else .86), 0)
    p.im[:, i0:] = mix(c1[:, None, None], c2[:, None, None], t[None])
    for k in range(3):  # undulations
        h = hz + (1 - hz) * (.12 + .27 * k) + (noise1(r, S, 2, 2) - .5) * .10
        cc = shine(sc, C(c) * (1.04 - .10 * k), max(0, .2 - .1 * k)); cs = shine(sc, C(c) * (.76 - .06 * k), 0)
        tt = np.clip((p.Y - h[None]) / .22, 0, 1); ridge(p, h, mix(cc[:, None, None], cs[:, None, None], tt[None]))
    if g == 'flower field':
        fc = [COL[k] for k in r.choice(['red', 'yellow', 'pink', 'purple', 'white', 'orange', 'blue'], 2, replace=False)] if not sc.get('flowercol') else [COL[sc['flowercol']], COL[sc['flowercol']]]
        for k in range(130):
            q = r.random() ** .7; y = hz + .02 + (1 - hz) * q; rad = .0035 + .010 * q
            p.disc(r.random(), y, rad, true(sc, fc[k % 2]), 1)
    elif g == 'desert':
        st = np.sin((np.log(t + .1) * 26 + noise1(r, S, 3, 2)[None] * 7)) * .5 + .5
        p.im[:, i0:] *= 1 - .07 * st * t


# ------------------------------------------------------------------ props
def paint_prop(p, sc, hz, k):
    r = p.r; side = sc.get('propside', 0)
    cx = {-1: r.uniform(.16, .32), 0: r.uniform(.42, .58), 1: r.uniform(.68, .84)}[side]
    col = C(COL[sc['propcol']]) if sc.get('propcol') else C((.8, .8, .8)); L = lambda c, d=0.: mix(lit(sc, c, d * .5), C(c), .40 if sc['time'] == 'night' else .22); K = lambda c: true(sc, c)
    gl = sc['time'] in ('night', 'sunset')
    wet = sc['ground'] in ('lake', 'sea')
    base = hz + (.30 if not wet else .16) * (1 - hz) + .02
    if wet and k in ('house', 'castle', 'pine trees', 'trees', 'cherry trees', 'cactus', 'lighthouse'):
        h = hz + (1 - hz) * .62 + .10 * (noise1(r, p.S, 2, 3) - .5) - .16 * np.exp(-((p.x - cx) / .22) ** 2)
        g = C((.34, .54, .24)); tt = np.clip((p.Y - h[None]) / .2, 0, 1)
        ridge(p, h.astype(F), mix(L(g)[:, None, None], L(g * .5)[:, None, None], tt[None])); base = float(h[int(np.clip(cx, 0, .99) * p.S)]) + .02
    if k == 'house':
        w, h = r.uniform(.19, .25), r.uniform(.13, .165); x0, y1 = cx - w / 2, base; y0 = y1 - h
        p.poly([(x0, y0), (x0 + w, y0), (x0 + w, y1), (x0, y1)], K(col))
        p.poly([(x0 + w * .62, y0), (x0 + w, y0), (x0 + w, y1), (x0 + w * .62, y1)], K(col * .76))
        rf = C((.30, .22, .22)) if sc['propcol'] not in ('black',) else C((.6, .3, .25))
        p.poly([(x0 + w * .70, y0 - h * .85), (x0 + w * .82, y0 - h * .85), (x0 + w * .82, y0 - .01), (x0 + w * .70, y0 - .01)], L(rf * .8))
        p.poly([(x0 - w * .1, y0 + .004), (x0 + w * .5, y0 - h * .78), (x0 + w * 1.1, y0 + .004)], L(rf))
        wc = C((1., .86, .42)) if gl else L((.65, .82, .92))
        for q in (.12, .40): p.poly([(x0 + w * q, y0 + h * .22), (x0 + w * (q + .16), y0 + h * .22), (x0 + w * (q + .16), y0 + h * .55), (x0 + w * q, y0 + h * .55)], wc)
        p.poly([(x0 + w * .74, y0 + h * .42), (x0 + w * .90, y0 + h * .42), (x0 + w * .90, y1), (x0 + w * .74, y1)], L(rf * .8))
    elif k == 'castle':
        w, h = .26, .15; x0 = cx - w / 2; s1 = K(np.clip(col * .93 + .04, 0, 1)); s2 = K(col * .72)
        p.poly([(x0, base - h), (x0 + w, base - h), (x0 + w, base), (x0, base)], s1)
        for q in range(7): p.poly([(x0 + w * q / 7, base - h - .016), (x0 + w * (q + .55) / 7, base - h - .016), (x0 + w * (q + .55) / 7, base - h + .002), (x0 + w * q / 7, base - h + .002)], s1)
        for q, hh in ((0, .24), (1, .22), (.5, .31)):
            tx = x0 + w * q; tw = .034
            p.poly([(tx - tw, base - hh), (tx + tw, base - hh), (tx + tw, base), (tx - tw, base)], s1)
            p.poly([(tx + tw * .2, base - hh), (tx + tw, base - hh), (tx + tw, base), (tx + tw * .2, base)], s2)
            p.poly([(tx - tw * 1.3, base - hh + .002), (tx, base - hh - .09), (tx + tw * 1.3, base - hh + .002)], L((.36, .18, .28)))
            p.poly([(tx - .008, base - hh + .04), (tx + .008, base - hh + .04), (tx + .008, base - hh + .07), (tx - .008, base - hh + .07)], (1., .86, .42) if gl else L((.2, .2, .25)))
        p.disc(cx, base - .05, .028, L((.2, .14, .14))); p.poly([(cx - .028, base - .05), (cx + .028, base - .05), (cx + .028, base), (cx - .028, base)], L((.2, .14, .14)))
    elif k in ('pine trees', 'trees', 'cherry trees'):
        n = int(r.integers(3, 7)); sp = .34 if side else .8
        xs = np.clip(cx + (np.linspace(-.5, .5, n) + r.uniform(-.06, .06, n)) * sp, .04, .96); zs = r.random(n); zs.sort()
        for x, z in zip(r.permutation(xs), zs):
            y = base + (.02 + .16 * z) * (1 - hz); h = (.16 + .12 * z) * r.uniform(.85, 1.15)
            if wet: y = base + .02 + .04 * z
            if k == 'pine trees':
                g = C((.12, .40, .25)) * r.uniform(.85, 1.15); p.poly([(x - .008, y - h * .2), (x + .008, y - h * .2), (x + .008, y), (x - .008, y)], L((.35, .23, .15)))
                for q in range(3):
                    yb = y - h * (.12 + .26 * q); ww = h * (.30 - .065 * q)
                    p.poly([(x - ww, yb), (x, yb - h * .40), (x + ww, yb)], L(g * (1 + .12 * q))); p.poly([(x + ww * .1, yb), (x, yb - h * .40), (x + ww, yb)], L(g * (.68 + .1 * q)))
                    if sc['ground'] == 'snow field' or sc['sky'] == 'snowfall': p.poly([(x - ww * .48, yb - h * .20), (x, yb - h * .40), (x + ww * .48, yb - h * .20), (x + ww * .15, yb - h * .245), (x - ww * .15, yb - h * .235)][:3], L((.95, .97, 1.)), .9)
            else:
                g = C((.30, .58, .22)) * r.uniform(.85, 1.15) if k == 'trees' else C((.98, .62, .76)) * r.uniform(.94, 1.04)
                p.poly([(x - .010, y - h * .6), (x + .010, y - h * .6), (x + .014, y), (x - .014, y)], L((.36, .24, .17)))
                sd = -1 if sc['_bx'] < .5 else 1
                for q in range(6):
                    a = q * 1.05 + r.uniform(-.3, .3); rr = h * .17 * (q > 0)
                    p.disc(x + rr * np.cos(a) * 1.15, y - h * .72 + rr * np.sin(a) * .8, h * r.uniform(.17, .22), (L if k == 'trees' else K)(np.clip(g * (1.12 if np.cos(a) * sd > 0 or q == 0 else .86), 0, 1)), 1, (sd * .3, -.8, .16))
    elif k == 'cactus':
        n = int(r.integers(1, 4))
        for q in range(n):
            x = np.clip(cx + (q - (n - 1) / 2) * .2, .08, .92); z = r.random(); y = base + .10 * z + .05; h = .2 + .1 * z; g = C((.22, .52, .28)); rd = h * .085
            for (c_, o) in ((g * .7, rd * .3), (g, 0)):
                p.cap(x + o, y - rd * .5, x + o, y - h, rd, L(c_)); p.cap(x - h * .28 + o, y - h * .45, x - h * .28 + o, y - h * .75, rd * .72, L(c_)); p.cap(x - h * .28 + o, y - h * .45, x + o, y - h * .40, rd * .72, L(c_))
                p.cap(x + h * .26 + o, y - h * .55, x + h * .26 + o, y - h * .85, rd * .72, L(c_)); p.cap(x + h * .26 + o, y - h * .55, x + o, y - h * .50, rd * .72, L(c_))
    elif k == 'sailboat':
        y = hz + .30 * (1 - hz); w = r.uniform(.19, .25)
        p.poly([(cx - .003, y - w * 1.15), (cx + .004, y - w * 1.15), (cx + .004, y), (cx - .003, y)], L((.3, .2, .15)))
        p.poly([(cx + .008, y - w * 1.1), (cx + w * .5, y - w * .12), (cx + .008, y - w * .12)], K(col)); p.poly([(cx - .006, y - w * 1.0), (cx - w * .38, y - w * .12), (cx - .006, y - w * .12)], K(np.clip(col * .84 + .06, 0, 1)))
        p.poly([(cx - w * .5, y - w * .08), (cx + w * .56, y - w * .08), (cx + w * .38, y + w * .13), (cx - w * .36, y + w * .13)], L((.45, .27, .18)))
        p.poly([(cx - w * .5, y - w * .08), (cx + w * .56, y - w * .08), (cx + w * .53, y - w * .03), (cx - w * .47, y - w * .03)], L((.9, .86, .8)))
        for q in range(4): p.poly([(cx - w * (.3 - .05 * q), y + w * (.17 + .12 * q)), (cx + w * (.36 - .05 * q), y + w * (.17 + .12 * q)), (cx + w * (.30 - .05 * q), y + w * (.21 + .12 * q)), (cx - w * (.24 - .05 * q), y + w * (.21 + .12 * q))], L(mix(col, C((.2, .3, .4)), .4)), .45)
    elif k == 'lighthouse':
        y = base; h = r.uniform(.30, .36); w1, w2 = .052, .032
        if gl and not p.dry:
            ly = y - h - .02
            for sg in (-1, 1):
                d = (p.X - cx) * sg; a = np.clip(1 - np.abs(p.Y - ly + .10 * d * sg) / (np.abs(d) * .16 + .006), 0, 1) * (d > 0) * np.exp(-np.abs(d) * 2.4)
                p.over((a * .62).astype(F), (1., .93, .62))
        N = 5
        for q in range(N):
            a, b = q / N, (q + 1) / N; wa, wb = mix(w1, w2, a), mix(w1, w2, b); c_ = col if q % 2 == 0 else C((.95, .94, .9))
            if sc['propcol'] == 'white': c_ = (C((.95, .94, .9)) if q % 2 == 0 else C((.75, .76, .8)))
            p.poly([(cx - wa, y - h * a), (cx + wa, y - h * a), (cx + wb, y - h * b), (cx - wb, y - h * b)], K(c_)); p.poly([(cx + wa * .25, y - h * a), (cx + wa, y - h * a), (cx + wb, y - h * b), (cx + wb * .25, y - h * b)], K(c_ * .76))
        p.poly([(cx - .040, y - h), (cx + .040, y - h), (cx + .040, y - h - .010), (cx - .040, y - h - .010)], L((.2, .2, .22)))
        p.poly([(cx - .019, y - h - .010), (cx + .019, y - h - .010), (cx + .019, y - h - .045), (cx - .019, y - h - .045)], (1., .93, .6) if gl else L((.85, .93, .97)))
        p.poly([(cx - .028, y - h - .044), (cx + .028, y - h - .044), (cx, y - h - .082)], K(col * .9))
    elif k == 'balloon':
        y = hz * r.uniform(.36, .58); rad = r.uniform(.10, .135); w = p.win(cx - rad, y - rad, cx + rad, y + rad * 1.6)
        X = (p.X[:, w[1]] - cx) / rad; Y = (p.Y[w[0]] - y) / rad
        wid = np.where(Y < .2, np.sqrt(np.clip(1 - Y * Y, 0, 1)), np.clip(.98 - (Y - .2) * .72, .0, 1)); e = np.where(Y < 0, 1 - np.sqrt(X * X + Y * Y), np.minimum(wid - np.abs(X), 1.25 - Y))
        m = np.clip(e * rad * p.S + .5, 0, 1); u = X / np.maximum(wid, .05)
        st = (np.floor(np.arcsin(np.clip(u, -1, 1)) / 3.1416 * 7 + 20.5) % 2); c2 = mix(col, C((1, 1, 1)), .26) if sc['propcol'] != 'white' else C((.80, .82, .86))
        sh = np.clip(1.04 - .26 * (X * (1 if sc['_bx'] < .5 else -1) * .7 + Y * .5), .55, 1.15)
        cc = mix(K(col)[:, None, None], K(c2)[:, None, None], st[None]) * sh; bd = ((Y > .22) & (Y < .36))[None]; cc = np.where(bd, K((.97, .93, .82))[:, None, None] * sh, cc)
        p.over(m, np.clip(cc, 0, 1), w)
        for sg in (-1, 1): p.cap(cx + sg * rad * .2, y + rad * 1.22, cx + sg * rad * .11, y + rad * 1.52, .0022, L((.25, .18, .12)))
        p.poly([(cx - rad * .15, y + rad * 1.5), (cx + rad * .15, y + rad * 1.5), (cx + rad * .12, y + rad * 1.74), (cx - rad * .12, y + rad * 1.74)], L((.52, .34, .18)))


def paint_weather(p, sc, hz):
    r = np.random.default_rng((sc['seed'], 10))
    if sc['sky'] == 'snowfall':
        for i in range(90):
            q = r.random(); p.disc(r.random(), r.random(), .0055 + .0075 * q * q, (1, 1, 1), .72 + .28 * q)
    elif sc['sky'] == 'fog':
        d = (p.Y - hz) / np.where(p.Y < hz, .16, .26); a = (.6 if sc['terrain'] in ('hills', 'dunes', 'islands', 'forest', 'mesas', 'city') else .78) * np.exp(-d * d) * (.65 + .5 * noise2(r, p.S, 2, 6, 2)); p.over(np.clip(a * (.8 if sc['kind'] == 'still' else 1), 0, .93), mix(sc['_hor'], C((.9, .9, .92)) * (.35 if sc['time'] == 'night' else 1), .35))


# ------------------------------------------------------------------ still life: small ray caster
def width(o):
    """half of the widest a solid can look from the front"""
    turn = abs(np.cos(o['rot'])) + abs(np.sin(o['rot'])); return float(o['size'] * {'cube': turn, 'pyramid': turn, 'cylinder': .85}.get(o['shape'], 1.04))


def frame(o, hz):
    """a box around the solid's picture: left, top, right, bottom"""
    x, y, z = o['pos']; w = width(o); d = z + 7.4; near = 1.68 / (d - w); far = 1.68 / (d + w); s = o['size']
    h = y - 2.05 + s * {'cone': 1.2, 'pyramid': 1.25}.get(o['shape'], 1.02); l = y - 2.05 - s * 1.02
    px = [(x + a) * b for a in (-w, w) for b in (near, far)]
    return .5 + min(px), hz - max(h * near, h * far), .5 + max(px), hz - min(l * near, l * far)


def fit(sc, stacks):
    """moves stacks of solids back and inwards until the frame holds them whole"""
    for st in stacks:
        o = max(st, key=width); w = width(o); x, y, z = o['pos']
        z = max(z, 1.68 * 2.05 / (.965 - sc['hz']) - 7.4 + (w if o['shape'] != 'sphere' else .62 * w)); lim = .475 / 1.68 * (7.4 + z - .45 * w) - w; x = float(np.clip(x, -lim, lim))
        for q in st: q['pos'] = (x, q['pos'][1], float(z))


def isect(o, ro, rd):
    """nearest positive hit t (inf if none) for rays ro + t rd; ro: 3-tuple arrays or scalars"""
    k, (cx, cy, cz), sz, rot = o['shape'], o['pos'], o['size'], o.get('rot', 0.)
    ox, oy, oz = ro[0] - cx, ro[1] - cy, ro[2] - cz; dx, dy, dz = rd
    INF = F(1e9)
    if k == 'sphere':
        b = ox * dx + oy * dy + oz * dz; c = ox * ox + oy * oy + oz * oz - sz * sz; h = b * b - c
        t = -b - np.sqrt(np.maximum(h, 0)); return np.where((h > 0) & (t > 1e-3), t, INF)
    if k in ('cube', 'pyramid'):
        ca, sa = float(np.cos(rot)), float(np.sin(rot)); ox, oz = ca * ox - sa * oz, sa * ox + ca * oz; dx, dz = ca * dx - sa * dz, sa * dx + ca * dz
    if k == 'cube':
        e = 1e-7; ix, iy, iz = 1 / (dx + e), 1 / (dy + e), 1 / (dz + e)
        ax, ay, az = np.abs(ix) * sz, np.abs(iy) * sz, np.abs(iz) * sz; nx, ny, nz = -ix * ox, -iy * oy, -iz * oz
        tn = np.maximum(np.maximum(nx - ax, ny - ay), nz - az); tf = np.minimum(np.minimum(nx + ax, ny + ay), nz + az)
        return np.where((tn < tf) & (tn > 1e-3), tn, INF)
    if k == 'pyramid':  # 4 side planes + base; apex at +1.25sz, base at -sz
        tn = np.full(np.broadcast(ox, dx).shape, -1e9, F); tf = np.full_like(tn, 1e9); H = 2.25 * sz; l = float(np.hypot(H, sz))
        for nx, nz in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            n = (nx * H / l, sz / l, nz * H / l); d0 = n[0] * ox + n[1] * (oy - 1.25 * sz) + n[2] * oz; dn = n[0] * dx + n[1] * dy + n[2] * dz; t = -d0 / (dn + 1e-9)
            tn = np.where(dn < 0, np.maximum(tn, t), tn); tf = np.where(dn >= 0, np.minimum(tf, t), tf)
        d0 = -(oy + sz); dn = -dy; t = -d0 / (dn + 1e-9); tn = np.where(dn < 0, np.maximum(tn, t), tn); tf = np.where(dn >= 0, np.minimum(tf, t), tf)
        return np.where((tn < tf) & (tn > 1e-3), tn, INF)
    if k == 'cylinder':
        a = dx * dx + dz * dz + 1e-9; b = ox * dx + oz * dz; c = ox * ox + oz * oz - (sz * .85) ** 2; h = b * b - a * c
        t = (-b - np.sqrt(np.maximum(h, 0))) / a; y = oy + t * dy; t1 = np.where((h > 0) & (t > 1e-3) & (np.abs(y) < sz), t, INF)
        t = (sz - oy) / (dy + 1e-9); q = (ox + t * dx) ** 2 + (oz + t * dz) ** 2; return np.minimum(t1, np.where((t > 1e-3) & (q < (sz * .85) ** 2), t, INF))
    if k == 'cone':  # apex +1.2sz, base -sz, radius sz at the base
        kk = (1. / 2.2) ** 2; yo = oy - 1.2 * sz
        a = dx * dx + dz * dz - kk * dy * dy; b = ox * dx + oz * dz - kk * yo * dy; c = ox * ox + oz * oz - kk * yo * yo; h = b * b - a * c; s = np.sqrt(np.maximum(h, 0))
        out = INF
        for sg in (-1, 1):
            t = (-b + sg * s) / (a + 1e-9); y = yo + t * dy; out = np.minimum(out, np.where((h > 0) & (t > 1e-3) & (y < 0) & (y > -2.2 * sz), t, INF))
        return out


def normal(o, x, y, z):
    k, (cx, cy, cz), sz, rot = o['shape'], o['pos'], o['size'], o.get('rot', 0.); x, y, z = x - cx, y - cy, z - cz
    if k == 'sphere': return x / sz, y / sz, z / sz
    ca, sa = float(np.cos(rot)), float(np.sin(rot))
    if k == 'cube':
        u, w = ca * x - sa * z, sa * x + ca * z; au, ay, aw = np.abs(u), np.abs(y), np.abs(w)
        mx = (au >= ay) & (au >= aw); my = (~mx) & (ay >= aw); mz = ~(mx | my); nu, ny, nw = np.sign(u) * mx, np.sign(y) * my, np.sign(w) * mz
        return ca * nu + sa * nw, ny, -sa * nu + ca * nw
    if k == 'pyramid':
        u, w = ca * x - sa * z, sa * x + ca * z; l = float(np.hypot(2.25, 1)); mx = np.abs(u) >= np.abs(w)
        nu, nw = np.sign(u) * mx * 2.25 / l, np.sign(w) * (~mx) * 2.25 / l; return ca * nu + sa * nw, np.full_like(x, 1 / l), -sa * nu + ca * nw
    if k == 'cylinder':
        top = y > sz * .999; R = sz * .85; return np.where(top, F(0), x / R), top.astype(F), np.where(top, F(0), z / R)
    if k == 'cone':
        rr = np.sqrt(x * x + z * z) + 1e-6; l = float(np.hypot(2.2, 1)); return x / rr * 2.2 / l, np.full_like(x, 1 / l), z / rr * 2.2 / l


def floor_tex(sc, x, z, r):
    f = sc['floor']; o = np.ones_like(x)
    if f == 'checkered floor':
        m = ((np.floor(x * 1.1 + .5) + np.floor(z * 1.1)) % 2); return mix(C((.13, .13, .16))[:, None, None], C((.92, .91, .88))[:, None, None], m[None])
    if f == 'wooden floor':
        pl = np.floor(x * 1.5); h = (np.sin(pl * 12.9898) * 43758.5453) % 1; g = .5 + .5 * np.sin((x * 1.5 % 1) * 9 + np.sin(z * 1.1 + h * 20) * 2 + h * 30)
        c = mix(C((.50, .30, .16))[:, None, None], C((.74, .49, .28))[:, None, None], (.55 * h + .45 * g)[None]); e = np.abs((x * 1.5 % 1) - .5) > .47; return c * np.where(e, F(.55), F(1))[None]
    if f == 'marble floor':
        v = np.abs(np.sin(x * 1.3 + z * .9 + 2.2 * np.sin(x * .9 + 1.3) + 1.6 * np.sin(z * 1.7 + x * .6) + 3)); return mix(C((.62, .64, .70))[:, None, None], C((.94, .94, .95))[:, None, None], np.clip(v * 2.2, 0, 1)[None])
    if f == 'stone floor':
        row = np.floor(z * 1.0); xx = x * .8 + .5 * (row % 2); h = (np.sin((np.floor(xx) * 7.1 + row * 13.7)) * 4375.85) % 1; e = (np.abs((xx % 1) - .5) > .465) | (np.abs((z % 1) - .5) > .46)
        c = mix(C((.42, .42, .46))[:, None, None], C((.62, .60, .60))[:, None, None], h[None]); return c * np.where(e, F(.6), F(1))[None]
    c = {'grass': (.34, .60, .24), 'sand': (.92, .74, .47), 'snow': (.93, .95, 1.), 'water': (.08, .32, .46)}[f]
    v = .5 + .25 * np.sin(x * 2.1 + 1.7 * np.sin(z * .8)) + .25 * np.sin(z * 2.7 + 1.3 * np.sin(x * 1.1 + 2))
    return C(c)[:, None, None] * (.86 + .2 * v)[None]


def paint_still(p, sc, hz):
    S = p.S; r = p.r; ss = 2; n = S * ss
    a = (np.arange(n, dtype=F) + .5) / n
    cam = (0., 2.05, -7.4); f = 1.68  # horizon at row hz: no tilt, shift the window
    DX = ((a - .5) / f)[None, :] * np.ones((n, 1), F); DY = (-(a - hz) / f)[:, None] * np.ones((1, n), F); l = np.sqrt(DX * DX + DY * DY + 1); dx, dy, dz = DX / l, DY / l, 1 / l
    rd = (dx, dy, dz); bg = np.repeat(np.repeat(p.im, ss, 1), ss, 2)
    objs = sc['objs']
    tf = np.where(dy < -1e-4, -cam[1] / np.minimum(dy, -1e-4), F(1e9)); best = tf; who = np.where(tf < 60, 0, -1)
    for i, o in enumerate(objs):  # first hits: only in the window that holds the solid
        a_, t_, b_, e_ = frame(o, hz); wn = (slice(max(0, int((t_ - .02) * n)), min(n, int((e_ + .02) * n) + 1)), slice(max(0, int((a_ - .02) * n)), min(n, int((b_ + .02) * n) + 1)))
        t = isect(o, cam, (dx[wn], dy[wn], dz[wn])); b = t < best[wn]; best[wn] = np.where(b, t, best[wn]); who[wn][b] = i + 1
    i0 = int(np.argmax((who >= 0).any(1))); sl = slice(i0, n)
    best, who = best[sl], who[sl]; dx, dy, dz = dx[sl], dy[sl], dz[sl]
    tt = np.minimum(best, 60); x, y, z = cam[0] + tt * dx, cam[1] + tt * dy, cam[2] + tt * dz
    nx = np.zeros_like(x); ny = np.ones_like(x); nz = np.zeros_like(x); alb = floor_tex(sc, x, z, r).astype(F); gl = np.full_like(x, {'marble floor': .22, 'water': .75, 'wooden floor': .10, 'checkered floor': .14}.get(sc['floor'], 0.)); met = np.zeros_like(x)
    if sc['floor'] == 'water': nx += .045 * np.sin(z * 5 + np.sin(x * 2) * 1.2); nz += .05 * np.sin(z * 7 + x * 1.3)
    for i, o in enumerate(objs):
        m = who == i + 1
        nx[m], ny[m], nz[m] = normal(o, x[m], y[m], z[m])
        alb[:, m] = C(COL[o['col']])[:, None]; gl[m] = {'matte': .02, 'shiny': .18, 'metal': .66}[o['mat']]; met[m] = o['mat'] == 'metal'
    sd = -1 if sc['_bx'] < .5 else 1; elev = {'dawn': .55, 'day': 1.1, 'sunset': .5, 'night': .8}[sc['time']]
    sub = (np.arange(n) % 2).astype(F); jx = ((sub[None, :] * 2 - 1) * .035 + (sub[sl][:, None] * 2 - 1) * .018); jy = ((sub[sl][:, None] * 2 - 1) * .03)
    lx, ly, lz = sd * .8 + jx, elev + jy, -.55 + 0 * jx; ll = np.sqrt(lx * lx + ly * ly + lz * lz); lx, ly, lz = lx / ll, ly / ll, lz / ll
    sh = np.ones_like(x); eps = 2e-3; so = (x + nx * eps, y + ny * eps, z + nz * eps)
    ao = np.ones_like(x)
    for i, o in enumerate(objs):
        sh = np.where(isect(o, so, (lx, ly, lz)) < 1e8, F(0), sh)
        cx, cy, cz = o['pos']; sz = o['size']; fl = who == 0
        d2 = ((x - cx) ** 2 + (z - cz) ** 2) / (sz * 1.25) ** 2; ao = np.where(fl & (cy - sz < .2), ao * (1 - .55 * np.exp(-d2 * 1.1)), ao)
    ao = np.where(who > 0, .62 + .38 * np.clip(y / .8, 0, 1), ao)
    light = C({'dawn': (1., .80, .66), 'day': (1., .97, .90), 'sunset': (1., .80, .66), 'night': (.56, .60, .80)}[sc['time']]) * (1.0 if sc['sky'] not in ('storm', 'fog') else .55)
    flat = (sc['_top'] * .45 + sc['_mid'] * .35 + .18) * (.62 if sc['time'] != 'night' else .75) + (.07 if sc['time'] == 'night' else .03)
    # floors take the light's colour; solids only a little of it, and never stand in the dark
    solid = (who > 0)[None]; bright = {'dawn': .92, 'day': .98, 'sunset': .95, 'night': .94}[sc['time']] * (1. if sc['sky'] not in ('storm', 'fog') else .88); neutral = bright * C(TRUE[sc['time']]) / max(TRUE[sc['time']]); soft = mix(neutral * .55, flat, .12)
    sf = np.where(solid, F(1), F({'snow': .6, 'marble floor': .4}.get(sc['floor'], 0))); key = light[:, None, None] + (neutral - light)[:, None, None] * sf; amb = flat[:, None, None] + (soft - flat)[:, None, None] * sf
    nl = np.clip(nx * lx + ny * ly + nz * lz, 0, 1) * sh
    hemi = .65 + .35 * ny
    c = alb * (key * (nl * np.where(who > 0, F(.72), F(.95)))[None] + amb * (hemi * ao)[None])
    dn = dx * nx + dy * ny + dz * nz; rx, ry, rz = dx - 2 * dn * nx, dy - 2 * dn * ny, dz - 2 * dn * nz
    t = np.clip(1 - ry, 0, 1)[None]; k = .55; T, M, H = (sc[q][:, None, None] for q in ('_top', '_mid', '_hor')); env = np.where(t < k, mix(T, M, t / k), mix(M, H, (t - k) / (1 - k)))
    fcol = C({'wooden floor': (.55, .36, .2), 'checkered floor': (.45, .45, .45), 'marble floor': (.8, .8, .82), 'stone floor': (.5, .5, .5), 'grass': (.3, .5, .2), 'sand': (.85, .68, .42), 'snow': (.9, .92, .98), 'water': (.1, .3, .42)}[sc['floor']]) * (light * .55 + flat * .6)
    env = np.where((ry < 0)[None], mix(H * .9, fcol[:, None, None], np.clip(-ry * 4, 0, 1)[None]), env)
    for i, o in enumerate(objs):  # one reflection bounce on flat glossy floors
        if sc['floor'] in ('water', 'marble floor', 'checkered floor', 'wooden floor'):
            hit = (who == 0) & (isect(o, so, (rx, ry, rz)) < 1e8); env = np.where(hit[None], C(COL[o['col']])[:, None, None] * (neutral * .45 + soft * .6)[:, None, None], env)
    gray = env.mean(0, keepdims=True); env = mix(env, gray * .72 + .28, np.where(solid, F(.82), F(0)))  # or solids wear the sky's colour
    fr = (1 - np.clip(-dn, 0, 1)) ** 4; g = np.clip(gl + (1 - gl) * fr * np.where(gl > .05, F(.6), F(.08)), 0, 1); tint = mix(np.ones_like(alb), np.clip(alb * 1.2 + .03, 0, 1), met[None])
    c = c * (1 - g[None] * np.where(met > 0, F(.85), F(.9))[None]) + env * tint * g[None]
    hx, hy, hz_ = lx - dx, ly - dy, lz - dz; hl = np.sqrt(hx * hx + hy * hy + hz_ * hz_); sp = np.clip((nx * hx + ny * hy + nz * hz_) / hl, 0, 1)
    c = c + key * (sh * np.where(gl > .15, sp ** 60 * F(.9), np.where(gl > .01, sp ** 12 * F(.10), F(0))) * (who > 0))[None]
    fg = np.clip((tt - 9) / 30, 0, 1) * (who == 0).astype(F) * (1.3 if sc['sky'] == 'fog' else 1); c = mix(c, (sc['_hor'] * .92)[:, None, None], np.clip(fg, 0, 1)[None])
    out = bg; seg = out[:, sl]; seg[:] = np.where((who >= 0)[None], np.clip(c, 0, 1), seg)
    p.im = out.reshape(3, S, ss, S, ss).mean((2, 4)).astype(F)


# ------------------------------------------------------------------ scenes
def pick(r, xs, w=None):
    return xs[int(r.choice(len(xs), p=None if w is None else np.asarray(w, float) / np.sum(w)))]


def scene(seed):
    r = np.random.default_rng((seed, 77)); sc = {'seed': seed}
    still = r.random() < .42; sc['kind'] = 'still' if still else 'land'
    t = sc['time'] = pick(r, TIMES, [1, 1.5, 1.4, 1.5])
    if t == 'night': sc['sky'] = pick(r, ['clear', 'stars', 'aurora', 'clouds', 'fog', 'snowfall'], [1, 3.2, 1.4, .8, .5, .5]); sc['body'] = pick(r, BODY, [1.2, 0, 1.4, 1.2, 1.3, .8, 1])
    else:
        sc['sky'] = pick(r, ['clear', 'clouds', 'storm', 'fog', 'rainbow', 'snowfall'], [2.2, 2.4, .8, .7, .7, .6]); sc['body'] = pick(r, BODY, [2, 3.2, .5, .3, .5, .3, .7])
        if sc['sky'] in ('storm',) : sc['body'] = 'none'
    # colours that the sky of the hour would swallow are left out
    free = [c for c in COLN[:8] if c not in {'dawn': ('pink', 'purple'), 'day': ('blue', 'teal'), 'sunset': ('red', 'orange', 'pink', 'purple'), 'night': ()}[t]]
    sc['bodycol'] = pick(r, free) if sc['body'] == 'ringed planet' else (pick(r, [c for c in free if c not in ('yellow', 'teal')]) if sc['body'] in ('moon', 'two moons', 'crescent moon', 'three moons') and r.random() < .35 else None)
    sc['skycol'] = pick(r, ['pink', 'teal', 'purple', 'orange', 'green']) if r.random() < .10 and sc['sky'] != 'storm' else None
    if sc['skycol'] and sc['skycol'] == sc['bodycol']: sc['skycol'] = None
    sc['_side'] = int(r.integers(-1, 2))
    if not still:
        sc['terrain'] = pick(r, TERRAIN + ['none'], [1.6, 1.2, 1.2, 1, 1.2, .9, 1, .7, .7, .5]); g = {'dunes': ['desert'], 'islands': ['sea'], 'mesas': ['desert', 'desert', 'lake', 'meadow']}.get(sc['terrain'])
        sc['ground'] = pick(r, g) if g else pick(r, GROUND, [2, 1.1, 1.4, .6, .8, .9])
        wet = sc['ground'] in ('lake', 'sea')
        pr = ['none', 'house', 'castle', 'pine trees', 'trees', 'cherry trees', 'balloon', 'lighthouse']; w = [2.2, 1.1, .7, 1., .8, .8, 1., .7 if wet else .25]
        if wet: pr.append('sailboat'); w.append(2.2)
        if sc['ground'] == 'desert': pr.append('cactus'); w.append(2.5)
        sc['prop'] = pick(r, pr, w); sc['propcol'] = pick(r, COLN if sc['prop'] not in ('castle',) else ['white', 'red', 'blue', 'pink', 'black', 'orange']) if sc['prop'] in ('house', 'castle', 'balloon', 'lighthouse', 'sailboat') else None
        if sc['prop'] in ('pine trees', 'trees') and sc['terrain'] == 'forest': sc['prop'] = 'none'; sc['propcol'] = None  # green before green
        bad = {'meadow': ['green'], 'flower field': ['green'], 'snow field': ['white']}.get(sc['ground'], []) if sc['prop'] in ('house', 'castle', 'lighthouse') else []
        if t == 'night': bad = bad + ['black']
        if sc['prop'] == 'balloon': bad = bad + ([sc['skycol']] if sc['skycol'] else [])
        if sc['propcol'] in bad: sc['propcol'] = pick(r, [c for c in ['white', 'red', 'blue', 'pink', 'orange', 'yellow'] if c not in bad])
        sc['propside'] = int(r.integers(-1, 2))
        if sc['terrain'] == 'volcano' and sc['_side'] == 0: sc['_side'] = pick(r, [-1, 1])  # clear of smoke
        if sc['body'] != 'none' and 'moons' not in sc['body'] and sc['prop'] not in ('none', 'sailboat', 'cactus') and sc['propside'] == sc['_side']: sc['propside'] = pick(r, [k for k in (-1, 0, 1) if k != sc['_side']])
        sc['flowercol'] = pick(r, ['red', 'yellow', 'pink', 'purple', 'white', 'orange', 'blue']) if sc['ground'] == 'flower field' and r.random() < .6 else None
        sc['hz'] = float(r.uniform(.50, .62))
    else:
        sc['terrain'] = pick(r, ['none', 'snowy mountains', 'mountains', 'hills', 'forest', 'city', 'dunes'], [3, 1, .7, .8, .7, .7, .5]); sc['floor'] = pick(r, FLOORS, [1.3, 1.2, .9, 1.1, 1, .8, 1, .7]); sc['hz'] = float(r.uniform(.42, .48))
        n = pick(r, [1, 2, 3], [1.7, 1.5, .6]); cols = r.choice(len(COLN), 3, replace=False); mk = lambda i: {'shape': pick(r, SOLIDS, [1.4, 1.3, 1, .8, .8]), 'col': COLN[cols[i]], 'mat': pick(r, MATS, [1.2, 1.2, .9]), 'rot': float(r.uniform(.15, 1.4))}
        objs = [mk(i) for i in range(n)]; rel = 'one'
        if n == 2: rel = pick(r, ['beside', 'on', 'infront'], [1.2, 1.3, .6])
        if n == 3: rel = pick(r, ['row', 'onbeside'], [1, 1])
        sc['rel'] = rel; sc['objs'] = objs
        def put(o, x, z, y0, s): o['size'] = float(s); o['pos'] = (float(x), float(y0 + s), float(z))
        j = lambda a: r.uniform(-a, a)
        if rel == 'one': sc['side'] = int(r.integers(-1, 2)); put(objs[0], sc['side'] * 1.15 + j(.15), .2 + j(.2), 0, r.uniform(.78, 1.05))
        elif rel == 'beside': put(objs[0], -1.08 + j(.1), .4 + j(.25), 0, r.uniform(.62, .76)); put(objs[1], 1.08 + j(.1), .4 + j(.25), 0, r.uniform(.62, .76))
        elif rel == 'on':
            objs[1]['shape'] = pick(r, ['cube', 'cylinder']); s1 = r.uniform(.62, .76); s0 = r.uniform(.46, .58); x = j(.9); put(objs[1], x, .2 + j(.2), 0, s1); put(objs[0], x, objs[1]['pos'][2], 2 * s1, s0)
        elif rel == 'infront': g = pick(r, [-1, 1]); put(objs[0], g * .55 + j(.2), -.4, 0, r.uniform(.44, .54)); put(objs[1], -g * .45 + j(.2), 2.1, 0, r.uniform(1., 1.15))
        elif rel == 'row':
            for i, x in enumerate((-1.55, 0, 1.55)): put(objs[i], x + j(.06), 1.1 + j(.2), 0, r.uniform(.47, .58))
        else:
            objs[1]['shape'] = pick(r, ['cube', 'cylinder']); sg = pick(r, [-1, 1]); sc['sg'] = sg; s1 = .6; put(objs[1], -sg * 1.02, .4, 0, s1); put(objs[0], -sg * 1.02, .4, 2 * s1, .47); put(objs[2], sg * 1.05, .4 + j(.2), 0, r.uniform(.58, .7))
        fit(sc, [objs] if rel == 'on' else [objs[:2], objs[2:]] if rel == 'onbeside' else [[o] for o in objs])
        if rel == 'on' or rel == 'onbeside':
            if objs[0]['shape'] != 'sphere': objs[0]['size'] *= .93; objs[0]['pos'] = (objs[0]['pos'][0], 2 * objs[1]['size'] + objs[0]['size'], objs[0]['pos'][2])
    if sc['sky'] == 'rainbow' and (sc['body'] != 'sun' or still or sc['terrain'] not in ('none', 'hills', 'dunes', 'islands') or sc.get('prop') in ('balloon', 'castle', 'lighthouse', 'house')):
        sc['body'], sc['bodycol'] = 'none', None  # no room beside the arc
    return sc


def render(sc, S):
    sc = dict(sc); p = P(S, (sc['seed'], 5)); hz = sc['hz']
    sc['_top_of'], sc['_bodies'], sc['_arc'] = layout(sc)
    sc['_bx'] = sc['_bodies'][0][0] if len(sc['_bodies']) == 1 else .5 + .25 * sc['_side']
    paint_sky(p, sc, hz)
    p.r = np.random.default_rng((sc['seed'], 6))
    if sc['terrain'] != 'none': paint_terrain(p, sc, hz)
    if sc['_arc']: paint_rainbow(p, sc, hz)
    if sc['kind'] == 'land':
        paint_ground(p, sc, hz)
        if sc['sky'] == 'fog': paint_weather(p, sc, hz)
        p.r = np.random.default_rng((sc['seed'], 7))
        if sc['prop'] != 'none': paint_prop(p, sc, hz, sc['prop'])
        if sc['sky'] != 'fog': paint_weather(p, sc, hz)
    else:  # fog stays behind the solids, flakes fall before them
        if sc['sky'] == 'fog': paint_weather(p, sc, hz)
        paint_still(p, sc, hz)
        if sc['sky'] != 'fog': paint_weather(p, sc, hz)
    return (np.clip(p.im, 0, 1) * 255 + .5).astype(np.uint8).transpose(1, 2, 0)


# ------------------------------------------------------------------ captions
SYN = {'dawn': ['at dawn', 'at sunrise', 'early morning', 'dawn'], 'day': ['in daylight', 'at noon', 'daytime', 'on a bright day', 'day'], 'sunset': ['at sunset', 'at dusk', 'sunset', 'in the evening'], 'night': ['at night', 'night', 'by night', 'at midnight']}
SKYSYN = {'clear': ['clear sky'], 'clouds': ['clouds', 'cloudy sky', 'white clouds'], 'storm': ['stormy sky', 'dark storm clouds', 'overcast'], 'aurora': ['aurora', 'northern lights'], 'fog': ['fog', 'mist', 'foggy'], 'rainbow': ['a rainbow', 'rainbow'], 'snowfall': ['snowing', 'falling snow', 'snowfall'], 'stars': ['stars', 'starry sky', 'many stars']}
GSYN = {'lake': ['over a lake', 'by a lake', 'lake'], 'sea': ['by the sea', 'over the ocean', 'sea'], 'meadow': ['with a green meadow', 'meadow', 'grassland'], 'desert': ['in the desert', 'sandy desert', 'desert'], 'snow field': ['with a snowy field', 'snowy ground', 'snowy field'], 'flower field': ['with a field of flowers', 'flower meadow', 'flowers']}
TSYN = {'snowy mountains': ['snowy mountains', 'snow-capped mountains', 'snowy peaks'], 'mountains': ['mountains', 'rocky mountains'], 'hills': ['hills', 'green hills', 'rolling hills'], 'dunes': ['dunes', 'sand dunes'], 'forest': ['forest', 'a pine forest', 'woods'], 'mesas': ['mesas', 'red rock mesas', 'a canyon'], 'city': ['a city', 'city skyline', 'skyscrapers'], 'islands': ['islands', 'green islands'], 'volcano': ['a volcano', 'an erupting volcano', 'volcano with lava']}
PSYN = {'house': ['house', 'cottage', 'cabin'], 'castle': ['castle'], 'pine trees': ['pine trees', 'fir trees'], 'trees': ['trees', 'green trees'], 'cherry trees': ['cherry trees', 'cherry blossoms', 'pink blossoming trees'], 'sailboat': ['sailboat', 'boat', 'sailing boat'], 'lighthouse': ['lighthouse'], 'balloon': ['hot air balloon', 'balloon'], 'cactus': ['cactus', 'cacti']}
OSYN = {'sphere': ['sphere', 'ball'], 'cube': ['cube', 'box'], 'cylinder': ['cylinder'], 'cone': ['cone'], 'pyramid': ['pyramid']}
MSYN = {'matte': ['', '', 'matte '], 'shiny': ['shiny ', 'glossy ', ''], 'metal': ['metal ', 'metallic ', 'chrome ']}


def art(s): return ('an ' if s[0] in 'aeiou' else 'a ') + s


def body_txt(sc, r):
    b = sc['body']; c = sc['bodycol']; c = '' if not c else c + ' '
    if b == 'sun': return pick(r, ['the sun', 'sun', 'a bright sun'])
    if b == 'moon': return pick(r, [art(c + 'moon'), 'a full moon' if not c else art(c + 'full moon')])
    if b == 'crescent moon': return art(c + 'crescent moon')
    if b in ('two moons', 'three moons'): return b.replace(' ', ' ' + c)
    return pick(r, [art(c + 'ringed planet'), art(c + 'planet with rings')])


FILLERS = ['beautiful', '4k', 'highly detailed', 'masterpiece', 'digital art', 'a picture', 'illustration', 'poster']


def held_out(sc):
    """Combinations that training never sees, so that composition can be scored on them."""
    solids = {(o['col'], o['shape']) for o in sc.get('objs', [])}
    if solids & {('teal', 'pyramid'), ('pink', 'cube'), ('orange', 'cone'), ('green', 'cylinder')}: return True
    return (sc['terrain'], sc['body']) in {('volcano', 'ringed planet'), ('city', 'crescent moon')} or (sc['terrain'], sc['sky']) == ('forest', 'aurora')


def caption(sc, seed):
    """What a person might type for the scene: a pure function of scene and seed."""
    text = describe(sc, seed); r = np.random.default_rng((seed, 98))
    if r.random() < .08: text = text + ', ' + pick(r, FILLERS)
    if r.random() < .04: text = pick(r, FILLERS) + ', ' + text
    return text


def describe(sc, seed):
    r = np.random.default_rng((seed, 99)); tail = []; time = pick(r, SYN[sc['time']])
    if sc['skycol']: tail.append(sc['skycol'] + ' sky')
    if sc['sky'] != 'clear': tail.append(pick(r, SKYSYN[sc['sky']]))
    elif r.random() < .25 and not sc['skycol']: tail.append('clear sky')
    if sc['body'] != 'none': tail.append(body_txt(sc, r) + ('' if sc['_side'] == 0 or 'moons' in sc['body'] or r.random() < .6 else (' on the left' if sc['_side'] < 0 else ' on the right')))
    if sc['kind'] == 'still':
        o = [art((MSYN[q['mat']][int(r.integers(3))]) + q['col'] + ' ' + pick(r, OSYN[q['shape']])) if True else '' for q in sc['objs']]
        rel = sc['rel']
        if rel == 'one': h = o[0] + ('' if r.random() < .45 else {-1: ' on the left', 0: ' in the middle', 1: ' on the right'}[sc['side']])
        elif rel == 'beside': h = pick(r, [f'{o[0]} and {o[1]}', f'{o[0]} to the left of {o[1]}', f'{o[1]} to the right of {o[0]}', f'{o[0]} next to {o[1]}'])
        elif rel == 'on': h = pick(r, [f'{o[0]} on {o[1]}', f'{o[0]} on top of {o[1]}', f'{o[1]} under {o[0]}'])
        elif rel == 'infront': h = pick(r, [f'{o[0]} in front of {o[1]}', f'{o[1]} behind {o[0]}'])
        elif rel == 'row': h = f'{o[0]}, {o[1]} and {o[2]}'
        else: h = f'{o[0]} on {o[1]}, {o[2]} on the ' + ('right' if sc['sg'] > 0 else 'left')
        fl = {'snow': 'snowy ground'}.get(sc['floor'], sc['floor']); bits = [pick(r, [fl, ('on ' + art(fl) if 'floor' in fl else 'on ' + fl)])]
        if sc['terrain'] != 'none': tail.append(pick(r, TSYN[sc['terrain']]) + pick(r, ['', ' in the background']))
        bits += [time]; lst = [q for q in bits + tail if r.random() > .07]; r.shuffle(lst); return ', '.join([h] + lst)
    pr = None
    if sc['prop'] != 'none':
        w = pick(r, PSYN[sc['prop']]); c = sc['propcol']
        pr = (art(c + ' ' + w) if c else (w if w.endswith('s') or w == 'cacti' else art(w)))
        if r.random() < .4 and sc['propside']: pr += ' on the left' if sc['propside'] < 0 else ' on the right'
    g = pick(r, GSYN[sc['ground']]); g = (sc['flowercol'] + ' flowers') if sc.get('flowercol') and r.random() < .8 else g
    if sc['terrain'] == 'none': head = [g if not (g.startswith(('over', 'with', 'by', 'in '))) else g.split(' ', 1)[1]]; rest = []
    else:
        t = pick(r, TSYN[sc['terrain']])
        if g.split(' ')[0] in ('over', 'with', 'by', 'in'): head = [t + ' ' + g]; rest = []
        else: head = [t]; rest = [g]
    if r.random() < .5: head[0] += ' ' + time if time.split(' ')[0] in ('at', 'in', 'on', 'by') else ', ' + time
    else: rest.append(time)
    if pr:
        if r.random() < .35: head = [pr] + head
        else: rest.append(pr)
    lst = [q for q in rest + tail if r.random() > .07]; r.shuffle(lst)
    return ', '.join(head + lst)


def sample(seed, S):
    sc = scene(seed); return render(sc, S), caption(sc, seed), sc
